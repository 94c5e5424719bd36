#include "runtime/kernels/low_rank.h"

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/rows_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kGrainRows = 8;

thread_local Scratch scratch;  // of the calling thread: dh

void add_gradient(const RowKernels& kernels, const float* x, int64_t rows, int64_t in, const LowRankGradient& g,
                  float* dx) {
  float* dh = scratch.of<float>(rows * g.rank);
  std::fill_n(dh, rows * g.rank, 0.f);
  parallel_for(rows, kGrainRows, [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      for (int64_t o = 0; o < g.out; ++o)
        kernels.add_scaled(g.b + o * g.rank, g.scale * g.dy[r * g.out + o], g.rank, dh + r * g.rank);
      if (!dx) continue;
      for (int64_t k = 0; k < g.rank; ++k) kernels.add_scaled(g.a + k * in, dh[r * g.rank + k], in, dx + r * in);
    }
  });
  if (g.da) {
    parallel_for(g.rank, 1, [&](int64_t k, int64_t end) {
      for (; k < end; ++k) {
        for (int64_t r = 0; r < rows; ++r) kernels.add_scaled(x + r * in, dh[r * g.rank + k], in, g.da + k * in);
      }
    });
  }
  if (!g.db) return;
  parallel_for(g.out, kGrainRows, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t o = begin; o < end; ++o)
        kernels.add_scaled(g.h + r * g.rank, g.scale * g.dy[r * g.out + o], g.rank, g.db + o * g.rank);
    }
  });
}

}  // namespace

void low_rank(const float* x, int64_t rows, int64_t in, std::span<const LowRankProduct> products, Isa isa) {
  HEARTH_CHECK(static_cast<int64_t>(products.size()) <= kMostLowRanks);
  const RowKernels& kernels = row_kernels(isa);
  parallel_for(rows, kGrainRows, [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      for (const LowRankProduct& p : products) {
        float* h = p.h + r * p.rank;
        for (int64_t k = 0; k < p.rank; ++k) h[k] = kernels.dot(x + r * in, p.a + k * in, in);
        for (int64_t o = 0; o < p.out; ++o) p.y[r * p.out + o] += p.scale * kernels.dot(h, p.b + o * p.rank, p.rank);
      }
    }
  });
}

void low_rank_backward(const float* x, int64_t rows, int64_t in, std::span<const LowRankGradient> gradients, float* dx,
                       Isa isa) {
  HEARTH_CHECK(static_cast<int64_t>(gradients.size()) <= kMostLowRanks);
  for (const LowRankGradient& g : gradients) add_gradient(row_kernels(isa), x, rows, in, g, dx);
}

}  // namespace hearth::kernels
