// The bf16 regime of matmul.h, forward and backward: both operands rounded to bf16, sums in f32, the adapters' factors
// likewise. A thread has a rectangle of rows and outputs (or inputs) and lays out the rows that it reads itself, so
// that none waits for another; what is added to a row, and in which order, depends on the sizes of the weights alone.
#pragma once

#include "runtime/kernels/matmul.h"

namespace hearth::kernels {

// All of them with weights in bf16.
void multiply_bf16(const float* x, int64_t rows, std::span<const Product> products, Isa isa);
void multiply_bf16_backward(const RowSource& x, int64_t rows, std::span<const ProductGradient> products, GradientSum dx,
                            Isa isa);

}  // namespace hearth::kernels
