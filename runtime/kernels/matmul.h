// Products with a frozen weight, the only kernels besides dequantize() that know storage formats. y = x W^T has three
// regimes, chosen per weight and never by the number of rows, so a row's result does not depend on which rows share the
// call:
//   packed as codes: integer dot products. Activations are rounded to 16 bits with one scale per 32 inputs (8 bits
//   would cost 0.05 mean |d logprob| on
//                   SmolLM2-135M Q4_1, 16 bits cost below 0.001), codes are 4 or 8 bits; a 32-block's sum is exact in
//                   32-bit integers.
//   packed as bf16: both operands rounded to bf16, sums in f32; gradients from the same storage.
//   not packed: exact f32: panels of outputs are dequantised and multiplied by fused multiply-adds in the order of the
//   inputs.
// The scalar, AVX2 and AVX-512 versions add in the same order, except those of bf16.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/base/cpu.h"
#include "runtime/kernels/format.h"
#include "runtime/kernels/gradient_sum.h"
#include "runtime/kernels/packed_weight.h"
#include "runtime/kernels/row_source.h"

namespace hearth::kernels {

// A weight as kernels see it: `out` rows of row_bytes(format, in) bytes, and its packed form or null. With a bf16 form
// `rows` is not read.
struct WeightView {
  Format format = Format::kF32;
  int64_t out = 0, in = 0;
  const std::byte* rows = nullptr;
  const PackedWeight* packed = nullptr;

  bool is_bf16() const { return packed && packed->is_bf16(); }
};

// What an adapter adds to a product, scale * (x A^T) B^T (arXiv 2106.09685); of rank 0 nothing.
struct LowRankFactors {
  const float* a = nullptr;  // [rank, in]
  const float* b = nullptr;  // [out, rank]
  int64_t rank = 0;
  float scale = 1;
};
inline int64_t padded_rank(int64_t rank) { return (rank + kPanelOutputs - 1) / kPanelOutputs * kPanelOutputs; }

// One product of a group that shares x.
struct Product {
  WeightView weight;
  const float* bias = nullptr;  // [out] or null
  float* y = nullptr;           // [rows, out], overwritten
  // Only with a weight in bf16, whose arithmetic they share; low_rank.h has them in f32.
  LowRankFactors adapter = {};
  float* h = nullptr;  // [rows, padded_rank], overwritten with x A^T
};

// y = x W^T + bias (+ the adapter's) for every product, in one parallel region. In bf16 are all weights or none.
// x [rows, in]
void matmul(const float* x, int64_t rows, std::span<const Product> products, Isa isa = hearth::isa());

// dx += (or, as the first, =) dy W, in exact f32, or from the bf16 form.  dy [rows, out], dx [rows, in]
void matmul_backward(const float* dy, int64_t rows, const WeightView& weight, GradientSum dx, Isa isa = hearth::isa());

// The gradient of a product whose weight is in bf16. With dh = scale * dy B:
//   db += scale * dy^T h, da += dh^T x, dx += dy W + dh A
struct ProductGradient {
  WeightView weight;
  const float* dy = nullptr;  // [rows, out]
  LowRankFactors adapter = {};
  const float* h = nullptr;            // which matmul wrote
  float *da = nullptr, *db = nullptr;  // like a and b, accumulated into; each may be null
};
// x [rows, in] is read only where a da is wanted; dx [rows, in]
void matmul_backward(const RowSource& x, int64_t rows, std::span<const ProductGradient> products, GradientSum dx,
                     Isa isa = hearth::isa());

}  // namespace hearth::kernels
