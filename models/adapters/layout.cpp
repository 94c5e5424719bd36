#include "models/adapters/layout.h"

#include <algorithm>

#include "runtime/base/error.h"

namespace hearth {
namespace {

Tensor transposed(const Tensor& x) {
  Tensor y(Shape{x.dim(1), x.dim(0)});
  for (int64_t r = 0; r < x.dim(0); ++r)
    for (int64_t c = 0; c < x.dim(1); ++c) y.row(c)[r] = x.row(r)[c];
  return y;
}

Tensor copy_plus(const Tensor& x, float offset) {
  Tensor y(x.shape());
  std::transform(x.data(), x.data() + x.size(), y.data(), [offset](float value) { return value + offset; });
  return y;
}

}  // namespace

Shape shape_of(const ModelTensor& tensor) {
  return tensor.is_matrix() ? Shape{tensor.weight.out(), tensor.weight.in()} : tensor.value.shape();
}

Tensor frozen_values(const ModelTensor& tensor) {
  if (!tensor.is_matrix()) return copy_plus(tensor.value, 0);
  Tensor values(shape_of(tensor));
  tensor.weight.dequantize_rows(0, tensor.weight.out(), values.data());
  return values;
}

bool lies_transposed(const AdapterConfig& config, const ModelTensor& tensor) {
  return config.fan_in_fan_out && tensor.linear >= 0;
}

Tensor from_checkpoint(const AdapterConfig& config, const ModelTensor& tensor, const Tensor& values) {
  if (lies_transposed(config, tensor)) return transposed(values);
  return tensor.offset == 0 ? values : copy_plus(values, tensor.offset);
}

Tensor to_checkpoint(const AdapterConfig& config, const ModelTensor& tensor, const Tensor& values) {
  if (lies_transposed(config, tensor)) return transposed(values);
  return tensor.offset == 0 ? values : copy_plus(values, -tensor.offset);
}

}  // namespace hearth
