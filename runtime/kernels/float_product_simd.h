// multiply_f32 (float_kernels.h), written once over Lanes: a group of rows and columns whose sums stay in registers
// takes the whole depth.
#pragma once

#include <cstdint>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

template <int kRows, int kColumns, class Edge>
inline void multiply_group(const FloatProduct& p, int64_t row, int64_t panel, const Edge& edge) {
  const float* a = p.a + row / kTileRows * p.a_tile + row % kTileRows;
  const float* b[kColumns];
  float* c = p.c + row * p.c_stride + panel * kTileOutputs;
  Lanes sum[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kColumns; ++i) {
    b[i] = p.b + (panel + i) * p.b_panel;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      sum[r][i] = p.starts ? Lanes::zero() : edge.load(c + r * p.c_stride + i * kTileOutputs);
  }
  for (int64_t d = 0; d < p.depth; ++d, a += p.a_stride) {
    Lanes shared[kColumns];
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) {
      shared[i] = edge.load(b[i]);
      b[i] += p.b_stride;
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Lanes factor = Lanes::broadcast(a[r]);
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) sum[r][i] = fma(factor, shared[i], sum[r][i]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) edge.store(sum[r][i], c + r * p.c_stride + i * kTileOutputs);
  }
}

// Calls fn.template operator()<N>(row) so that the Ns cover all rows, none across a tile's border.
template <class Fn>
inline void for_row_groups(int64_t rows, const Fn& fn) {
  for (int64_t r = 0; r < rows;) {
    const int64_t in_tile = kTileRows - r % kTileRows, left = rows - r < in_tile ? rows - r : in_tile;
    if (left >= Lanes::kGroupRows) {
      fn.template operator()<Lanes::kGroupRows>(r);
      r += Lanes::kGroupRows;
    } else if (left >= 4) {
      fn.template operator()<4>(r);
      r += 4;
    } else if (left >= 2) {
      fn.template operator()<2>(r);
      r += 2;
    } else {
      fn.template operator()<1>(r);
      r += 1;
    }
  }
}

inline void multiply_f32(const FloatProduct& p) {
  const int64_t panels = p.columns / kTileOutputs;
  int64_t panel = 0;
  // Few rows take more columns at once, so that there are chains enough to hide the latency of multiply-adds.
  constexpr int kFew = 2, kFewColumns = Lanes::kGroupRows * Lanes::kGroupColumns / 4;
  if (p.rows <= kFew) {
    for (; panel + kFewColumns <= panels; panel += kFewColumns) {
      for (int64_t r = 0; r < p.rows; ++r) multiply_group<1, kFewColumns>(p, r, panel, Whole{});
    }
  }
  for (; panel + Lanes::kGroupColumns <= panels; panel += Lanes::kGroupColumns) {
    for_row_groups(p.rows,
                   [&]<int kRows>(int64_t r) { multiply_group<kRows, Lanes::kGroupColumns>(p, r, panel, Whole{}); });
  }
  for (; panel < panels; ++panel)
    for_row_groups(p.rows, [&]<int kRows>(int64_t r) { multiply_group<kRows, 1>(p, r, panel, Whole{}); });
  const int rest = static_cast<int>(p.columns - panels * kTileOutputs);
  if (rest > 0)
    for_row_groups(p.rows, [&]<int kRows>(int64_t r) { multiply_group<kRows, 1>(p, r, panel, Part{rest}); });
}

}  // namespace
}  // namespace hearth::kernels
