// The layers that families of models share, and the loader that makes them from a checkpoint.
#pragma once

#include <string>

#include "runtime/batch.h"
#include "runtime/io/weight_source.h"
#include "runtime/ops/ops.h"

namespace hearth {

class RmsNorm {
 public:
  RmsNorm(Tensor weight, float eps) : weight_(std::move(weight)), eps_(eps) {}
  Tensor operator()(const Tensor& x) const { return ops::rms_norm(x, weight_, eps_); }  // [tokens, n] -> [tokens, n]

 private:
  Tensor weight_;  // [n]
  float eps_;
};

// y = x W^T + b
class Linear {
 public:
  explicit Linear(Weight weight, Tensor bias = {}) : weight_(std::move(weight)), bias_(std::move(bias)) {}
  Tensor operator()(const Tensor& x) const { return ops::linear(x, weight_, bias_); }  // [tokens, in] -> [tokens, out]
  // As one of several projections of the same x.
  ops::Projection projection() const { return {&weight_, bias_.defined() ? &bias_ : nullptr}; }
  const Weight& weight() const { return weight_; }

 private:
  Weight weight_;  // [out, in]
  Tensor bias_;    // [out] or undefined
};

// The attention's three projections in one parallel region.
class QkvProjection {
 public:
  struct Output {
    Tensor q;     // [tokens, num_heads * head_dim]
    Tensor k, v;  // [tokens, num_kv_heads * head_dim]
  };
  QkvProjection(Linear q, Linear k, Linear v) : q_(std::move(q)), k_(std::move(k)), v_(std::move(v)) {}
  Output operator()(const Tensor& x) const;  // x [tokens, hidden_size]

 private:
  Linear q_, k_, v_;
};

// down(silu(gate(x)) * up(x))
class GatedMlp {
 public:
  GatedMlp(Linear gate, Linear up, Linear down) : gate_(std::move(gate)), up_(std::move(up)), down_(std::move(down)) {}
  Tensor operator()(const Tensor& x) const;  // [tokens, hidden_size] -> [tokens, hidden_size]

 private:
  Linear gate_, up_, down_;
};

// Makes layers from a checkpoint. Weights of products are laid out for the kernels as they come, and the mapped pages
// they came from given back, so loading holds one weight twice at most.
class LayerLoader {
 public:
  LayerLoader(WeightSource& source, ComputeDtype compute_dtype) : source_(source), compute_dtype_(compute_dtype) {}

  // `name` without ".weight" and ".bias". Errors are WeightSource's.
  Linear linear(const std::string& name, int64_t out, int64_t in, bool bias = false);
  RmsNorm rms_norm(const std::string& name, int64_t n, float eps);
  // A table of rows, as it lies in the file.
  Weight table(const std::string& name, int64_t rows, int64_t n);
  // The output head that shares `table`, which came from `name` (tied embeddings).
  Linear tied(const std::string& name, const Weight& table);

 private:
  WeightSource& source_;
  ComputeDtype compute_dtype_;
};

}  // namespace hearth
