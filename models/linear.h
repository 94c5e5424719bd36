// The linear maps of a model: frozen as their checkpoint has them or trained in full, with what the adapters of the
// batch's segments add.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "runtime/batch.h"
#include "runtime/model_tensor.h"
#include "runtime/ops/ops.h"

namespace hearth {

// y = x W^T + b + the adapters' part
class Linear {
 public:
  // weight [out, in]; bias [out] or null.
  Linear(std::shared_ptr<const ModelTensor> weight, std::shared_ptr<const ModelTensor> bias)
      : weight_(std::move(weight)), bias_(std::move(bias)) {}
  // x has a row for each of the batch's.  [tokens, in] -> [tokens, out]
  Tensor operator()(const Tensor& x, const Batch& batch) const;
  const Weight& weight() const { return weight_->weight; }

 private:
  friend std::vector<Tensor> project(const Tensor& x, std::span<const Linear* const> linears, const Batch& batch);

  std::shared_ptr<const ModelTensor> weight_, bias_;
};

// Each one's product with the same x; those that are frozen share a parallel region.
std::vector<Tensor> project(const Tensor& x, std::span<const Linear* const> linears, const Batch& batch);

// For rows that are not the batch's and that no adapter touches: those of experts.
const Batch& no_adapters();

// What the model computes with: the trained value where there is one.
Tensor current(const ModelTensor& vector);

}  // namespace hearth
