// Products with trainable f32 matrices (full tuning), in exact f32 or with both operands rounded to bf16 and sums in
// f32. The same kernels and properties as products with frozen weights (matmul.h).
#pragma once

#include <cstdint>

#include "runtime/base/cpu.h"
#include "runtime/kernels/gradient_sum.h"

namespace hearth::kernels {

enum class DensePrecision { kFloat32, kBFloat16 };

// A matrix [out, in] of floats that changes from step to step.
struct DenseMatrix {
  const float* values;
  int64_t out, in;
};

// y = x W^T + bias (null: 0).  x [rows, in], y [rows, out]
void dense(const float* x, int64_t rows, const DenseMatrix& w, const float* bias, DensePrecision precision, float* y,
           Isa isa = hearth::isa());
// dx += (or, as the first, =) dy W.  dy [rows, out], dx [rows, in]
void dense_backward(const float* dy, int64_t rows, const DenseMatrix& w, DensePrecision precision, GradientSum dx,
                    Isa isa = hearth::isa());

// The operands of a matrix's gradient.
struct DenseGradient {
  const float* dy;  // [rows, out]
  const float* x;   // [rows, in]
  int64_t rows, out, in;
};
// dw += dy^T x, rows added in their order whatever the number of threads.  dw [out, in]
void dense_weight_backward(const DenseGradient& gradient, DensePrecision precision, float* dw, Isa isa = hearth::isa());

}  // namespace hearth::kernels
