#include "runtime/kernels/adapter_rows.h"

#include "runtime/base/parallel.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kGrain = 16 << 10;  // values

// SplitMix64's finaliser of a counter.
bool is_kept(uint64_t seed, int64_t i, uint64_t threshold) {
  uint64_t z = seed + 0x9e3779b97f4a7c15u * static_cast<uint64_t>(i + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((z ^ (z >> 31)) >> 32) >= threshold;
}

uint64_t threshold_of(float p) { return static_cast<uint64_t>(static_cast<double>(p) * 0x1p32); }

int64_t row_grain(int64_t n) { return 1 + kGrain / (n + 1); }

}  // namespace

void dropout(const float* x, float p, uint64_t seed, int64_t n, float* y) {
  const uint64_t threshold = threshold_of(p);
  const float factor = 1 / (1 - p);
  parallel_for(n, kGrain, [&](int64_t i, int64_t end) {
    for (; i < end; ++i) y[i] = is_kept(seed, i, threshold) ? x[i] * factor : 0.f;
  });
}

void dropout_backward(const float* dy, float p, uint64_t seed, int64_t n, float* dx) {
  const uint64_t threshold = threshold_of(p);
  const float factor = 1 / (1 - p);
  parallel_for(n, kGrain, [&](int64_t i, int64_t end) {
    for (; i < end; ++i) dx[i] += is_kept(seed, i, threshold) ? dy[i] * factor : 0.f;
  });
}

void add_to_rows(const float* bias, int64_t rows, int64_t n, float* y) {
  parallel_for(rows, row_grain(n), [&](int64_t r, int64_t end) {
    for (; r < end; ++r)
      for (int64_t i = 0; i < n; ++i) y[r * n + i] += bias[i];
  });
}

void scale_columns(const float* x, const float* factors, int64_t rows, int64_t n, float* y) {
  parallel_for(rows, row_grain(n), [&](int64_t r, int64_t end) {
    for (; r < end; ++r)
      for (int64_t i = 0; i < n; ++i) y[r * n + i] = x[r * n + i] * factors[i];
  });
}

void scale_columns_backward(const ColumnGradient& g, const float* factors, int64_t rows, int64_t n) {
  if (g.dx) {
    parallel_for(rows, row_grain(n), [&](int64_t r, int64_t end) {
      for (; r < end; ++r)
        for (int64_t i = 0; i < n; ++i) g.dx[r * n + i] += g.dy[r * n + i] * factors[i];
    });
  }
  if (!g.dfactors) return;
  parallel_for(n, row_grain(rows), [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = begin; i < end; ++i) g.dfactors[i] += g.dy[r * n + i] * g.x[r * n + i];
  });
}

}  // namespace hearth::kernels
