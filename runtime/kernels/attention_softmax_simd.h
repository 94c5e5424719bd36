// The softmax of attention in bf16 (attention_forward_bf16.cpp), written once over Lanes.
#pragma once

#include <cstdint>

#include "runtime/kernels/attention_kernels.h"
#include "runtime/kernels/functions.h"
#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

inline void soften_row(const ScoreRows& s, int row) {
  float* scores = s.scores + row * s.stride;
  const Lanes none = Lanes::broadcast(-__builtin_inff()), scale = Lanes::broadcast(s.scale);
  const int whole = s.keys / 16 * 16, rest = s.keys - whole;
  Lanes largest = none;
  for (int i = 0; i < whole; i += 16) largest = max(Lanes::load(scores + i) * scale, largest);
  if (rest > 0) largest = max(first(rest, Lanes::load(scores + whole, rest) * scale, none), largest);
  const float top = largest_lane(largest);
  if (top > s.tops[row]) {
    const Lanes shrink = exp(Lanes::broadcast(s.tops[row]) - Lanes::broadcast(top));
    s.weights[row] *= sum_lanes(first(1, shrink, Lanes::zero()));
    float* sums = s.sums + row * s.width;
    for (int64_t i = 0; i < s.width; i += 16) (Lanes::load(sums + i) * shrink).store(sums + i);
    s.tops[row] = top;
  }
  const Lanes shift = Lanes::broadcast(-s.tops[row]);
  Lanes weight = Lanes::zero();
  for (int i = 0; i < whole; i += 16) {
    const Lanes p = exp(fma(Lanes::load(scores + i), scale, shift));
    p.store(scores + i);
    weight = weight + p;
  }
  for (int i = whole; i < (s.keys + 31) / 32 * 32; i += 16) {
    const int n = s.keys > i ? s.keys - i : 0;
    const Lanes p = first(n, exp(fma(Lanes::load(scores + i, n), scale, shift)), Lanes::zero());
    p.store(scores + i);
    weight = weight + p;
  }
  s.weights[row] += sum_lanes(weight);
}

inline void soften_rows(const ScoreRows& rows) {
  for (int r = 0; r < rows.rows; ++r) soften_row(rows, r);
}

}  // namespace
}  // namespace hearth::kernels
