// The inner loops of element-wise and row-wise ops, one table per instruction set; rows.cpp cuts the work and calls
// them. Every version adds in the same order, so the tables give bit-equal results (log_sum_exp's last step, a
// logarithm of libm's, included). Pointers need no alignment.
#pragma once

#include <cstdint>

#include "runtime/base/cpu.h"
#include "runtime/kernels/activation.h"
#include "runtime/kernels/gradient_sum.h"

namespace hearth::kernels {

struct AdamWStep;
struct ExpSums;
struct GatedGradient;
struct Norm;
struct NormGradient;
struct Rotation;

struct RowKernels {
  void (*add)(const float* a, const float* b, int64_t n, float* y);
  void (*multiply)(const float* a, const float* b, int64_t n, float* y);
  void (*scale)(const float* x, float factor, int64_t n, float* y);
  void (*add_scaled)(const float* x, float factor, int64_t n, float* y);
  void (*add_product)(const float* a, const float* b, float factor, int64_t n, float* y);
  void (*round_bf16)(const float* x, int64_t n, uint16_t* y);
  void (*widen_bf16)(const uint16_t* x, int64_t n, float* y);
  void (*activate)(const float* x, Activation activation, int64_t n, float* y);
  void (*activate_backward)(const float* x, const float* dy, Activation activation, int64_t n, float* dx);
  void (*gated)(const float* gate, const float* up, Activation activation, int64_t n, float* y);
  void (*gated_backward)(const GatedGradient& gradient, Activation activation, int64_t begin, int64_t end);
  void (*softcap)(float* x, float cap, int64_t n);
  void (*softcap_slope)(const float* capped, float cap, int64_t n, float* dy);
  // Rows [begin, end); layer_norm_weight: columns.
  void (*rms_norm)(const float* x, const Norm& norm, int64_t begin, int64_t end, float* y, float* inverse_rms);
  void (*rms_norm_backward)(const NormGradient& gradient, const Norm& norm, int64_t begin, int64_t end);
  void (*layer_norm)(const float* x, const Norm& norm, int64_t begin, int64_t end, float* y, float* statistics);
  void (*layer_norm_backward)(const NormGradient& gradient, const Norm& norm, int64_t begin, int64_t end);
  void (*layer_norm_weight)(const NormGradient& gradient, const Norm& norm, int64_t begin, int64_t end);
  void (*rotate)(const float* x, const Rotation& rotation, int64_t begin, int64_t end, float* y);
  void (*rotate_backward)(const float* dy, const Rotation& rotation, int64_t begin, int64_t end, GradientSum dx);
  void (*sigmoid)(const float* x, int64_t n, float* y);
  void (*sigmoid_backward)(const float* y, const float* dy, int64_t n, float* dx);
  void (*adamw)(const AdamWStep& step, int64_t begin, int64_t end);
  // Of one row.
  void (*softmax)(const float* x, int64_t n, float* y);
  void (*softmax_backward)(const float* y, const float* dy, int64_t n, float* dx);
  void (*shares)(const float* x, int64_t n, float* y);
  void (*shares_backward)(const float* x, const float* dy, int64_t n, float* dx);
  float (*dot)(const float* a, const float* b, int64_t n);
  float (*log_sum_exp)(const float* x, int64_t n);
  int64_t (*argmax)(const float* x, int64_t n);
  void (*scaled_softmax)(float* x, float log_sum_exp, float factor, int64_t n);
  ExpSums (*exp_sums)(float* x, float shift, int64_t n);
};

const RowKernels& row_kernels(Isa isa);

const RowKernels& scalar_row_kernels();
const RowKernels& avx2_row_kernels();
const RowKernels& avx512_row_kernels();

}  // namespace hearth::kernels
