// A tensor of a model by name: frozen as its checkpoint has it, or trained in its place. The parts of a model share
// theirs with the model's list (LanguageModel::tensors), through which training finds them.
#pragma once

#include <memory>
#include <string>

#include "runtime/adapter.h"
#include "runtime/tape.h"
#include "runtime/tensor.h"
#include "runtime/weight.h"

namespace hearth {

struct ModelTensor {
  std::string name;    // Hugging Face's: "model.layers.0.self_attn.q_proj.weight"
  Weight weight = {};  // a matrix, or undefined
  Tensor value = {};   // a vector (norm, bias), or undefined
  float offset = 0;    // what `value` has more than the checkpoint (Gemma's norms: 1)
  // Set before training, by whoever trains it: the forward then reads it in place of weight or value. A matrix is
  // [out, in] here whatever its layout in the checkpoint.
  std::unique_ptr<Parameter> trained = nullptr;
  // The linear map whose matrix it is, for adapters; -1: none (tables, norms, biases, experts, routers, the head).
  LinearId linear = -1;

  bool is_matrix() const { return weight.defined(); }
};

}  // namespace hearth
