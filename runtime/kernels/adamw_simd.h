// AdamW's update and the sum of squares of a gradient over Lanes; part of the table of rows_simd.h.
#pragma once

#include <cstdint>

#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/rows.h"

namespace hearth::kernels {
namespace {

inline void adamw(const AdamWStep& s, int64_t begin, int64_t end) {
  const Lanes beta1 = Lanes::broadcast(s.beta1), beta2 = Lanes::broadcast(s.beta2);
  const Lanes one_minus_beta1 = Lanes::broadcast(s.one_minus_beta1);
  const Lanes one_minus_beta2 = Lanes::broadcast(s.one_minus_beta2);
  const Lanes root_correction = Lanes::broadcast(s.root_correction), epsilon = Lanes::broadcast(s.epsilon);
  const Lanes kept = Lanes::broadcast(s.kept), rate = Lanes::broadcast(s.rate);
  for_lanes(begin, end, [=](auto part, int64_t i) {
    const Lanes g = part.load(s.gradient + i);
    const Lanes first = fma(g, one_minus_beta1, part.load(s.first + i) * beta1);
    const Lanes second = fma(g * g, one_minus_beta2, part.load(s.second + i) * beta2);
    const Lanes root = sqrt(second) / root_correction + epsilon;
    part.store(first, s.first + i);
    part.store(second, s.second + i);
    part.store(negated_fma(rate, first / root, part.load(s.value + i) * kept), s.value + i);
  });
}

}  // namespace
}  // namespace hearth::kernels
