// What a job changes of a model, and how it lies on disk: an adapter, or tensors in full. The model's own weights stay.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"
#include "models/loader.h"
#include "runtime/adapter.h"
#include "runtime/value_head.h"

namespace hearth {

class Trainable {
 public:
  virtual ~Trainable() = default;
  virtual const std::vector<Parameter*>& parameters() const = 0;  // always in the same order
  virtual const Adapter* adapter() const = 0;                     // that batches go through; null: none
  virtual ValueHead* value_head() { return nullptr; }             // of stage rm
  // Files that peft or transformers load, into a directory that exists. Throws kUnavailable.
  virtual void save(const std::filesystem::path& directory) const = 0;
  // The values that save() wrote, to the bit. Throws as the readers do, and when they are of other parameters.
  virtual void load(const std::filesystem::path& directory) = 0;
  // "LoRA, rank 8, on 210 linear maps: 2,442,240 parameters (1.8 %)"
  virtual std::string description() const = 0;
};

// Throws kInvalidArgument for what the job asks of this model and cannot have.
std::unique_ptr<Trainable> make_trainable(const TrainSpec& spec, const LoadedModel& loaded);

}  // namespace hearth
