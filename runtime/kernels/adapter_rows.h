// Row-wise kernels around adapters: dropout, factors of columns, biases. Parallel above a grain; no cut changes a
// result.
#pragma once

#include <cstdint>

namespace hearth::kernels {

// y[i] = x[i] / (1 - p), or 0 with probability p. Value i is dropped or kept by `seed` and i alone.
void dropout(const float* x, float p, uint64_t seed, int64_t n, float* y);
void dropout_backward(const float* dy, float p, uint64_t seed, int64_t n, float* dx);  // accumulates

void add_to_rows(const float* bias, int64_t rows, int64_t n, float* y);  // y[r][i] += bias[i]

void scale_columns(const float* x, const float* factors, int64_t rows, int64_t n, float* y);  // y[r][i] = x[r][i] f[i]
struct ColumnGradient {
  const float *x, *dy;   // [rows, n]
  float *dx, *dfactors;  // [rows, n] and [n]; each may be null; accumulated into
};
void scale_columns_backward(const ColumnGradient& gradient, const float* factors, int64_t rows, int64_t n);

}  // namespace hearth::kernels
