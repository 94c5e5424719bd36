// The oracle: one value at a time.
#include <algorithm>
#include <cmath>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/half.h"

namespace hearth::kernels {
namespace {

void multiply_f32(const FloatProduct& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* a = p.a + r / kTileRows * p.a_tile + r % kTileRows;
    for (int64_t j = 0; j < p.columns; ++j) {
      const float* b = p.b + j / kTileOutputs * p.b_panel + j % kTileOutputs;
      float& c = p.c[r * p.c_stride + j];
      float sum = p.starts ? 0.f : c;
      for (int64_t d = 0; d < p.depth; ++d) sum = std::fma(a[d * p.a_stride], b[d * p.b_stride], sum);
      c = sum;
    }
  }
}

float add_products(const Bf16Operands& o, int64_t row, int64_t column, float sum) {
  const uint16_t* a = o.a + row / kTileRows * o.a_tile + row % kTileRows * kTileDepth;
  const uint16_t* b = o.b + column / kTileOutputs * o.b_panel + column % kTileOutputs * 2;
  for (int64_t block = 0; block < o.blocks; ++block, a += kTileElements, b += kTileElements) {
    for (int d = 0; d < kTileDepth; ++d)
      sum = std::fma(bf16_to_f32(a[d]), bf16_to_f32(b[d / 2 * 2 * kTileOutputs + d % 2]), sum);
  }
  return sum;
}

void multiply_bf16(const Bf16Product& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t j = 0; j < p.columns; ++j) {
      float& c = p.c[r * p.c_stride + j];
      c = add_products(p.second, r, j, add_products(p.first, r, j, p.starts ? 0.f : c));
    }
  }
}

void round_tile(const float* in, int64_t stride, int64_t rows, int64_t columns, uint16_t* tile) {
  std::fill_n(tile, kTileElements, uint16_t{0});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) tile[r * kTileDepth + i] = f32_to_bf16(in[r * stride + i]);
  }
}

void transpose_tile(const uint16_t* in, uint16_t* out) {
  for (int r = 0; r < 16; ++r) {
    for (int i = 0; i < 32; ++i) out[(i / 2 * 16 + r) * 2 + i % 2] = in[r * 32 + i];
  }
}

void pair_rows(const uint16_t* in, uint16_t* first, uint16_t* second) {
  for (int r = 0; r < 16; ++r) {
    for (int i = 0; i < 32; ++i) (i < 16 ? first : second)[(r / 2 * 16 + i % 16) * 2 + r % 2] = in[r * 32 + i];
  }
}

constexpr FloatKernels kKernels = {multiply_f32, multiply_bf16, round_tile, transpose_tile, pair_rows};

}  // namespace

const FloatKernels& scalar_float_kernels() { return kKernels; }

}  // namespace hearth::kernels
