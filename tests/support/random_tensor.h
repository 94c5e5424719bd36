// Tensors of normally distributed values, the same for the same seed.
#pragma once

#include <cstdint>

#include "runtime/base/random.h"
#include "runtime/tensor.h"

namespace hearth {

inline Tensor random_tensor(const Shape& shape, uint64_t seed, float deviation = 1.0f) {
  Tensor x(shape);
  Random random(seed);
  for (size_t i = 0; i < x.size(); ++i) x.data()[i] = deviation * random.normal();
  return x;
}

}  // namespace hearth
