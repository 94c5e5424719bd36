// c[rows][16 * columns] += a b for the small products of attention. An element of c adds its terms in the order of
// depth, one fused multiply-add each, however rows and columns are grouped.
#pragma once

#include <cstdint>

#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

// a(row, depth) = values[row * row_stride + depth * depth_stride]
struct Factor {
  const float* values;
  int64_t row_stride, depth_stride;

  Factor from_row(int64_t row) const { return {values + row * row_stride, row_stride, depth_stride}; }
};

// b[i] + d * b_stride: sixteen f32 or f16 values that make columns 16 * i .. 16 * i + 15.
template <class Element, int kRows, int kColumns>
inline void multiply_group(const Factor& a, const Element* const* b, int64_t b_stride, int depth, float* c,
                           int64_t c_stride) {
  Lanes sum[kRows][kColumns];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int i = 0; i < kColumns; ++i) sum[r][i] = Lanes::load(c + r * c_stride + 16 * i);
  }
  const float* at = a.values;
  for (int64_t d = 0; d < depth; ++d, at += a.depth_stride) {
    Lanes shared[kColumns];
#pragma GCC unroll 2
    for (int i = 0; i < kColumns; ++i) shared[i] = Lanes::load(b[i] + d * b_stride);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Lanes factor = Lanes::broadcast(at[r * a.row_stride]);
#pragma GCC unroll 2
      for (int i = 0; i < kColumns; ++i) sum[r][i] = fma(factor, shared[i], sum[r][i]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int i = 0; i < kColumns; ++i) sum[r][i].store(c + r * c_stride + 16 * i);
  }
}

// `rows` is at most kMost.
template <class Element, int kMost, int kColumns>
inline void multiply_rest(int rows, const Factor& a, const Element* const* b, int64_t b_stride, int depth, float* c,
                          int64_t c_stride) {
  if constexpr (kMost > 0) {
    if (rows == kMost) return multiply_group<Element, kMost, kColumns>(a, b, b_stride, depth, c, c_stride);
    multiply_rest<Element, kMost - 1, kColumns>(rows, a, b, b_stride, depth, c, c_stride);
  }
}

template <class Element, int kColumns>
inline void multiply_columns(int rows, const Factor& a, const Element* const* b, int64_t b_stride, int depth, float* c,
                             int64_t c_stride) {
  constexpr int kRows = Lanes::kRows / kColumns;
  int r = 0;
  for (; r + kRows <= rows; r += kRows)
    multiply_group<Element, kRows, kColumns>(a.from_row(r), b, b_stride, depth, c + r * c_stride, c_stride);
  multiply_rest<Element, kRows - 1, kColumns>(rows - r, a.from_row(r), b, b_stride, depth, c + r * c_stride, c_stride);
}

// Few rows take two columns at once, so that there are chains enough to hide the latency of multiply-adds.
template <class Element>
[[gnu::noinline]] void multiply(int rows, int columns, const Factor& a, const Element* const* b, int64_t b_stride,
                                int depth, float* c, int64_t c_stride) {
  int i = 0;
  if (rows <= Lanes::kRows / 2) {
    for (; i + 2 <= columns; i += 2)
      multiply_columns<Element, 2>(rows, a, b + i, b_stride, depth, c + 16 * i, c_stride);
  }
  for (; i < columns; ++i) multiply_columns<Element, 1>(rows, a, b + i, b_stride, depth, c + 16 * i, c_stride);
}

inline void clear(float* values, int64_t n) {  // n is a multiple of 16
  for (int64_t i = 0; i < n; i += 16) Lanes::zero().store(values + i);
}

}  // namespace
}  // namespace hearth::kernels
