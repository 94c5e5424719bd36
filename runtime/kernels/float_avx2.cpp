#include <cstdint>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/float_product_simd.h"
#include "runtime/kernels/intrinsics.h"
#include "runtime/kernels/tile_simd.h"

namespace hearth::kernels {
namespace {

constexpr int kChunk = 8;   // blocks whose f32 copies stay in the first- and second-level caches
constexpr int kPanels = 3;  // that share one copy of a

__m256 low_halves(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
__m256 high_halves(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
}

// A tile of b -> f32 [32][16].
void widen(const uint16_t* tile, float* out) {
  for (int i = 0; i < kTileElements; i += 16) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + i));
    float* even = out + i / 32 * 32 + i % 32 / 2;
    _mm256_storeu_ps(even, low_halves(pairs));
    _mm256_storeu_ps(even + kTileOutputs, high_halves(pairs));
  }
}

// Both operands as f32, multiplied and added in the order of depth.
void multiply(const Bf16Operands& p, const Bf16Product& of, bool starts) {
  alignas(32) float a[kChunk * kTileElements], b[kPanels][kChunk * kTileElements];
  alignas(32) uint16_t turned[kTileElements];
  for (int64_t column = 0; column < of.columns; column += kPanels * kTileOutputs) {
    const int64_t columns = of.columns - column < kPanels * kTileOutputs ? of.columns - column : kPanels * kTileOutputs;
    for (int64_t block = 0; block < p.blocks; block += kChunk) {
      const int64_t blocks = p.blocks - block < kChunk ? p.blocks - block : kChunk;
      for (int64_t i = 0; i * kTileOutputs < columns; ++i) {
        const uint16_t* panel = p.b + (column / kTileOutputs + i) * p.b_panel + block * kTileElements;
        for (int64_t k = 0; k < blocks; ++k) widen(panel + k * kTileElements, b[i] + k * kTileElements);
      }
      for (int64_t row = 0; row < of.rows; row += kTileRows) {
        const uint16_t* tiles = p.a + row / kTileRows * p.a_tile + block * kTileElements;
        for (int64_t k = 0; k < blocks; ++k) {
          transpose_tile(tiles + k * kTileElements, turned);
          widen(turned, a + k * kTileElements);
        }
        const int64_t rows = of.rows - row < kTileRows ? of.rows - row : kTileRows;
        multiply_f32({a, kTileRows, 0, b[0], kTileOutputs, kChunk * kTileElements, of.c + row * of.c_stride + column,
                      of.c_stride, rows, columns, blocks * kTileDepth, starts && block == 0});
      }
    }
  }
}

void multiply_bf16(const Bf16Product& p) {
  multiply(p.first, p, p.starts);
  multiply(p.second, p, false);
}

constexpr FloatKernels kKernels = {multiply_f32, multiply_bf16, round_tile, transpose_tile, pair_rows};

}  // namespace

const FloatKernels& avx2_float_kernels() { return kKernels; }

}  // namespace hearth::kernels
