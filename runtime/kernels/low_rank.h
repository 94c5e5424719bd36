// Products with low-rank adapters (arXiv 2106.09685): y += scale * (x A^T) B^T and their gradients. They are bound by
// memory: x, y, dy and dx each pass once, in blocks of rows that stay in cache for everything that is made of them.
// Maps that share x (q, k, v; gate, up) share its pass. A row's h and y do not depend on the other rows of the call;
// sums over rows are the same for the same number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/base/cpu.h"
#include "runtime/kernels/row_source.h"

namespace hearth::kernels {

inline constexpr int64_t kMostLowRanks = 8;  // of a call

struct LowRankProduct {
  const float* a;  // [rank, in]
  const float* b;  // [out, rank]
  int64_t rank, out;
  float scale;
  float* h;  // [rows, rank], overwritten with x A^T
  float* y;  // [rows, out], accumulated into
};
// x [rows, in]
void low_rank(const float* x, int64_t rows, int64_t in, std::span<const LowRankProduct> products,
              Isa isa = hearth::isa());

struct LowRankGradient {
  const float* a;  // [rank, in]
  const float* b;  // [out, rank]
  int64_t rank, out;
  float scale;
  const float* h;   // [rows, rank], which low_rank wrote
  const float* dy;  // [rows, out]
  float *da, *db;   // like a and b, accumulated into; each may be null
};
// With dh = scale * dy B:  db += scale * dy^T h, da += dh^T x, dx += dh A for every gradient.
// x [rows, in], not read where no da is wanted; dx [rows, in], may be null
void low_rank_backward(const RowSource& x, int64_t rows, int64_t in, std::span<const LowRankGradient> gradients,
                       float* dx, Isa isa = hearth::isa());

}  // namespace hearth::kernels
