// The inner loops of integer products and transpositions, one table per instruction set; matmul.cpp cuts the work and
// calls them. Every version rounds alike and adds in the same order, so the tables give bit-equal results. Pointers
// need no alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/cpu.h"

namespace hearth::kernels {

// 32 inputs of a row, x ~ scale * q. The sums serve minimums (value = scale * code + minimum needs minimum * sum of x)
// and zeros (an integer dot product starts at zero * -sum of q).
struct ActivationBlock {
  int16_t q[32];         // rounded to nearest even, |q| <= 32767
  float scale;           // largest |x| / 32767; nan when an input is not finite, so that every product is
  float sum;             // scale * sum of q
  float half_sum[2];     // of inputs 0..15 and 16..31
  int32_t negative_sum;  // -sum of q
  int32_t negative_half_sum[2];
  int32_t padding;
};
static_assert(sizeof(ActivationBlock) == 96);

// 16 outputs of a packed weight (packed_weight.h), or such a panel unpacked for use with many rows: bits = 16, one word
// a pair of inputs, f32 scales and minimums [groups][16] each.
struct Panel {
  const std::byte* blocks;
  size_t block_bytes;
  int bits;    // 4, 8 or 16
  int groups;  // 1 or 2
  bool has_minimum;
  int zero;
};

inline constexpr size_t kUnpackedBlockBytes = 32 * 16 * sizeof(int16_t) + 2 * 2 * 16 * sizeof(float);

struct MatmulKernels {
  // x [32 * blocks] -> out [blocks]
  void (*round_activations)(const float* x, int64_t blocks, ActivationBlock* out);

  // The first `blocks` blocks of a panel of 4 or 8 bits -> blocks of kUnpackedBlockBytes.
  void (*unpack)(const Panel& panel, int64_t blocks, std::byte* out);

  // y [rows][16] += x W^T; rows are x_stride blocks and y_stride floats apart. For each block, for each group:
  //   y = fma(float(integer dot product), weight scale * activation scale, y), then y = fma(minimum, sum of x, y).
  void (*multiply)(const Panel& panel, int64_t blocks, const ActivationBlock* x, int64_t x_stride, int64_t rows,
                   float* y, int64_t y_stride);

  // in [16][n], rows `stride` values apart -> f32 out [n][16]
  void (*transpose)(const float* in, int64_t stride, int64_t n, float* out);
  void (*transpose_f16)(const uint16_t* in, int64_t stride, int64_t n, float* out);
  void (*transpose_bf16)(const uint16_t* in, int64_t stride, int64_t n, float* out);
};

const MatmulKernels& matmul_kernels(Isa isa);

const MatmulKernels& scalar_matmul_kernels();
const MatmulKernels& avx2_matmul_kernels();
const MatmulKernels& avx512_matmul_kernels();

}  // namespace hearth::kernels
