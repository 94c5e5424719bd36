// What the engine, the scorer and the trainer know of a model.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "runtime/batch.h"
#include "runtime/model_tensor.h"
#include "runtime/output_head.h"
#include "runtime/tensor.h"

namespace hearth {

struct ModelDims {
  int64_t vocab_size = 0, hidden_size = 0;
  int num_layers = 0, num_heads = 0, num_kv_heads = 0, head_dim = 0;
  int max_positions = 0;  // the context length that the model's config states, stretched by its rope scaling
  // Keys of a sequence up to this length do not depend on its length (dynamic rope scaling); longer ones share no
  // cached prefix.
  int fixed_rope_length = std::numeric_limits<int>::max();
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelDims& dims() const = 0;
  virtual Tensor forward(const Batch& batch) const = 0;  // -> [tokens, hidden_size], after the final norm
  virtual const OutputHead& output_head() const = 0;
  // All of its tensors by name; those with a LinearId take adapters.
  virtual std::span<const std::shared_ptr<ModelTensor>> tensors() const { return {}; }
};

}  // namespace hearth
