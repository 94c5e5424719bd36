// Element-wise and row-wise kernels. Above a grain they run on all threads of the compute pool, below it on the
// caller's; no cut changes a result. `_backward` functions and `add_*` accumulate (into a
// GradientSum as it says), the others overwrite. y may not
// overlap an input unless said.
#pragma once

#include <cstdint>

#include "runtime/kernels/activation.h"
#include "runtime/kernels/gradient_sum.h"

namespace hearth::kernels {

void add(const float* a, const float* b, int64_t n, float* y);          // y = a + b
void multiply(const float* a, const float* b, int64_t n, float* y);     // y = a * b
void scale(const float* x, float factor, int64_t n, float* y);          // y = x * factor; y may be x
void add_scaled(const float* x, float factor, int64_t n, float* y);     // y += x * factor
void add_product(const float* a, const float* b, int64_t n, float* y);  // y += a * b
void add_constant(float value, int64_t n, float* y);                    // y += value
void add_columns(const float* x, int64_t rows, int64_t n, float* y);    // y[n] += sum over rows of x[rows, n]
double sum(const float* x, int64_t n);
void round_bf16(const float* x, int64_t n, uint16_t* y);  // to nearest even; nan stays nan
void widen_bf16(const uint16_t* x, int64_t n, float* y);

void activate(const float* x, Activation activation, int64_t n, float* y);
void activate_backward(const float* x, const float* dy, Activation activation, int64_t n, float* dx);
// y = activation(gate) * up
void gated(const float* gate, const float* up, Activation activation, int64_t n, float* y);
struct GatedGradient {
  const float *gate, *up, *dy;
  GradientSum dgate, dup;
};
void gated_backward(const GatedGradient& gradient, Activation activation, int64_t n);

// Rows of n floats. Row r has the weight and the bias of group r % groups.
struct Norm {
  const float* weight;  // [groups, n]
  const float* bias;    // [groups, n] or null
  float eps;
  int64_t n, groups;
};
struct NormGradient {
  const float *x, *dy;      // [rows, n]
  const float* statistics;  // which the forward wrote
  GradientSum dx;
  float *dweight, *dbias;  // each may be null
  int64_t rows;
};
// y = x * inverse_rms * weight, inverse_rms = 1 / sqrt(mean(x^2) + eps).  x [rows, n]; inverse_rms [rows], may be null
void rms_norm(const float* x, const Norm& norm, int64_t rows, float* y, float* inverse_rms);
void rms_norm_backward(const NormGradient& gradient, const Norm& norm);  // statistics: inverse_rms
// y = (x - mean) / sqrt(mean((x - mean)^2) + eps) * weight + bias.  x [rows, n]; statistics [rows, 2], may be null
void layer_norm(const float* x, const Norm& norm, int64_t rows, float* y, float* statistics);
void layer_norm_backward(const NormGradient& gradient, const Norm& norm);

// Cosines and sines of each row's angles, and the heads they turn: the pairs (i, i + pairs) of a head's first 2 * pairs
// dimensions, or the neighbours (2i, 2i + 1) of them; the others stay.
struct Rotation {
  const float* cosines;  // [rows, pairs]; for neighbours [rows, 2 * pairs], each twice
  const float* sines;    // likewise; for neighbours the first of each two negated
  int64_t pairs;
  bool neighbours;
  int64_t heads, head_dim;
};
void rotate(const float* x, const Rotation& rotation, int64_t rows, float* y);  // x [rows, heads * head_dim]
void rotate_backward(const float* dy, const Rotation& rotation, int64_t rows, GradientSum dx);

// Equal groups of a row's columns: where each begins, in floats from row to row and from group to group.
struct Grid {
  int64_t row, group;
};
struct GridSize {
  int64_t rows, groups, width;
};
void copy_grid(const float* x, Grid from, const GridSize& size, float* y, Grid to);
void add_grid(const float* x, Grid from, const GridSize& size, float* y, Grid to);  // to.group may be 0: their sum

// Of each row of n.
void softmax(const float* x, int64_t rows, int64_t n, float* y);
void softmax_backward(const float* y, const float* dy, int64_t rows, int64_t n, float* dx);
void shares(const float* x, int64_t rows, int64_t n, float* y);  // y = x / (the row's sum + 1e-20)
void shares_backward(const float* x, const float* dy, int64_t rows, int64_t n, float* dx);

void sigmoid(const float* x, int64_t n, float* y);
void sigmoid_backward(const float* y, const float* dy, int64_t n, float* dx);

// Row r of y [rows, n] is the sum of weight * x over terms[begins[r]] .. terms[begins[r + 1]], in their order.
struct WeightedRow {
  const float* x;  // [n]
  float weight;
  float *dx, *dweight;  // for the gradient; each may be null
};
struct WeightedSums {
  const WeightedRow* terms;
  const int64_t* begins;  // [rows + 1]
  int64_t rows, n;
};
void weighted_sums(const WeightedSums& sums, float* y);
void weighted_sums_backward(const WeightedSums& sums, const float* dy);  // no two terms share dx or, in a row, dweight

// One update of AdamW (finetune/optim/adamw.h) over n floats:
//   first = beta1 first + (1 - beta1) g;  second = beta2 second + (1 - beta2) g^2
//   value = kept * value - rate * first / (sqrt(second) / root_correction + epsilon)
struct AdamWStep {
  const float* gradient;
  float *first, *second, *value;
  float beta1, one_minus_beta1, beta2, one_minus_beta2;
  float root_correction, epsilon;  // sqrt(1 - beta2^steps)
  float kept, rate;                // 1 - learning rate * weight decay; learning rate / (1 - beta1^steps)
};
void adamw(const AdamWStep& step, int64_t n);
double sum_of_squares(const float* x, int64_t n);  // the same for any number of threads

// Of one row, on the caller's thread.
float log_sum_exp(const float* x, int64_t n);  // nan when an x is
int64_t argmax(const float* x, int64_t n);  // the first of the largest; nan is never the largest; 0 when there is none
// x = exp(x - log_sum_exp) * factor, in place
void scaled_softmax(float* x, float log_sum_exp, float factor, int64_t n);
// x = exp(x - shift), in place, and sums over what x was and became.
struct ExpSums {
  float squares;   // of exp(x - shift)
  float products;  // of exp(x - shift) * (x - shift)
  float logits;    // of x
  float largest;   // x
};
ExpSums exp_sums(float* x, float shift, int64_t n);
void softcap(float* x, float cap, int64_t n);                              // x = cap * tanh(x / cap), in place
void softcap_slope(const float* capped, float cap, int64_t n, float* dy);  // dy *= 1 - (capped / cap)^2, in place

}  // namespace hearth::kernels
