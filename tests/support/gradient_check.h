// Gradients against central finite differences. The op's output is weighted with fixed random numbers and summed in
// double, so that every output element takes part and the difference is not lost in rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "runtime/ops/ops.h"
#include "runtime/tape.h"
#include "tests/support/random_tensor.h"

namespace hearth {

struct GradientCheck {
  double atol = 1e-3, rtol = 1e-2;
  float step = 1e-2f;
  size_t most_elements = 48;  // of x that are moved, spread evenly
};

// The gradient that `fn` records for x, for the weighted sum of its output.
inline Tensor recorded_gradient(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, uint64_t seed) {
  Parameter parameter{"x", x, Tensor::zeros(x.shape())};
  Tape tape;
  const Tape::Recording on(tape);
  const Tensor y = fn(Tape::leaf(parameter));
  tape.backward(ops::sum(ops::multiply(y, random_tensor(y.shape(), seed))));
  return parameter.grad;
}

inline void expect_gradient(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, GradientCheck check = {}) {
  constexpr uint64_t kSeed = 4711;
  const Tensor gradient = recorded_gradient(fn, x, kSeed);
  const auto loss_at = [&](size_t i, float value) {
    Tensor moved(x.shape());
    std::copy_n(x.data(), x.size(), moved.data());
    moved.data()[i] = value;
    const Tensor y = fn(moved), weights = random_tensor(y.shape(), kSeed);
    double loss = 0;
    for (size_t k = 0; k < y.size(); ++k) loss += static_cast<double>(y.data()[k]) * weights.data()[k];
    return loss;
  };
  const size_t stride = std::max<size_t>(1, x.size() / check.most_elements);
  for (size_t i = 0; i < x.size(); i += stride) {
    const float above = x.data()[i] + check.step, below = x.data()[i] - check.step;
    const double slope = (loss_at(i, above) - loss_at(i, below)) / (static_cast<double>(above) - below);
    EXPECT_NEAR(gradient.data()[i], slope, check.atol + check.rtol * std::abs(slope)) << "element " << i;
  }
}

}  // namespace hearth
