// A model with adapters worked in, each trained on the result of those before, of which only one tensor is held at a
// time: merged values are computed when they are asked for.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "models/adapters/peft_adapter.h"
#include "runtime/weight.h"

namespace hearth {

class MergedModel {
 public:
  // `tensors` are of a model that is not in use, and outlive this. A PiSSA adapter that follows others is computed from
  // what they make of the model, which is then held. Throws what read_adapter throws.
  MergedModel(std::span<const std::filesystem::path> adapters, ModelTensors tensors);

  // Whether some adapter changes the tensor.
  bool changes(const ModelTensor& tensor) const;
  // As it is computed with, in f32: [out, in] or [n].
  Tensor values(const ModelTensor& tensor) const;

 private:
  void work_in(ModelTensors tensors);

  std::vector<PeftAdapter> adapters_;
  std::unordered_set<const ModelTensor*> worked_in_;
};

}  // namespace hearth
