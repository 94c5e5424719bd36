#include "models/layers.h"

#include <array>

namespace hearth {

QkvProjection::Output QkvProjection::operator()(const Tensor& x) const {
  const std::array projections{q_.projection(), k_.projection(), v_.projection()};
  std::vector<Tensor> y = ops::linear(x, projections);
  return {std::move(y[0]), std::move(y[1]), std::move(y[2])};
}

Tensor GatedMlp::operator()(const Tensor& x) const {
  const std::array projections{gate_.projection(), up_.projection()};
  const std::vector<Tensor> y = ops::linear(x, projections);  // [tokens, intermediate_size] each
  return down_(ops::gated(y[0], y[1], Activation::kSilu));
}

Linear LayerLoader::linear(const std::string& name, int64_t out, int64_t in, bool bias) {
  const std::string weight_name = name + ".weight";
  Weight weight = source_.matrix(weight_name, out, in);
  weight.prepare(compute_dtype_);
  if (weight.packed()) source_.release_pages(weight_name);
  return Linear(std::move(weight), bias ? source_.vector(name + ".bias", out) : Tensor());
}

RmsNorm LayerLoader::rms_norm(const std::string& name, int64_t n, float eps) {
  return RmsNorm(source_.vector(name + ".weight", n), eps);
}

Weight LayerLoader::table(const std::string& name, int64_t rows, int64_t n) {
  return source_.matrix(name + ".weight", rows, n);
}

Linear LayerLoader::tied(const std::string& name, const Weight& table) {
  Weight weight = table;
  weight.prepare(compute_dtype_);
  if (weight.packed()) source_.release_pages(name + ".weight");
  return Linear(std::move(weight));
}

}  // namespace hearth
