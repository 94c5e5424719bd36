// Element-wise and row-wise kernels. Above a grain they run on all threads of the compute pool, below it on the
// caller's; no cut changes a result. `_backward` functions and `add_*` accumulate, the others overwrite. y may not
// overlap an input unless said.
#pragma once

#include <cstdint>

namespace hearth::kernels {

void add(const float* a, const float* b, int64_t n, float* y);          // y = a + b
void multiply(const float* a, const float* b, int64_t n, float* y);     // y = a * b
void scale(const float* x, float factor, int64_t n, float* y);          // y = x * factor
void add_scaled(const float* x, float factor, int64_t n, float* y);     // y += x * factor
void add_product(const float* a, const float* b, int64_t n, float* y);  // y += a * b
void add_constant(float value, int64_t n, float* y);                    // y += value
void add_columns(const float* x, int64_t rows, int64_t n, float* y);    // y[n] += sum over rows of x[rows, n]
double sum(const float* x, int64_t n);

// silu(gate) * up
void silu_multiply(const float* gate, const float* up, int64_t n, float* y);
// dgate and dup may be null.
void silu_multiply_backward(const float* gate, const float* up, const float* dy, int64_t n, float* dgate, float* dup);

// y = x * inverse_rms * weight, inverse_rms = 1 / sqrt(mean(x^2) + eps).  x [rows, n]; inverse_rms [rows], may be null
void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* y, float* inverse_rms);
// dx [rows, n] and dweight [n] may be null.
void rms_norm_backward(const float* x, const float* weight, const float* inverse_rms, const float* dy, int64_t rows,
                       int64_t n, float* dx, float* dweight);

// Cosines and sines of each row's angles, and the heads they turn.
struct Rotation {
  const float* cosines;  // [rows, pairs]
  const float* sines;    // [rows, pairs]
  int64_t pairs;         // (i, i + pairs) of a head's first 2 * pairs dimensions; the others stay
  int64_t heads, head_dim;
};
void rotate(const float* x, const Rotation& rotation, int64_t rows, float* y);  // x [rows, heads * head_dim]
void rotate_backward(const float* dy, const Rotation& rotation, int64_t rows, float* dx);

// Of one row, on the caller's thread.
float log_sum_exp(const float* x, int64_t n);  // nan when an x is
int64_t argmax(const float* x, int64_t n);  // the first of the largest; nan is never the largest; 0 when there is none
// x = exp(x - log_sum_exp) * factor, in place
void scaled_softmax(float* x, float log_sum_exp, float factor, int64_t n);

}  // namespace hearth::kernels
