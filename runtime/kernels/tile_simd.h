// Rounding and rearranging tiles of bf16 numbers (float_kernels.h) by AVX2.
#pragma once

#include <cstdint>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/intrinsics.h"
#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

inline void round_tile(const float* in, int64_t stride, int64_t rows, int64_t columns, uint16_t* tile) {
  for (int64_t r = 0; r < kTileRows; ++r) {
    alignas(32) float padded[kTileDepth] = {};
    const float* row = in + r * stride;
    if (r >= rows || columns < kTileDepth) {
      for (int64_t i = 0; r < rows && i < columns; ++i) padded[i] = row[i];
      row = padded;
    }
    for (int i = 0; i < kTileDepth; i += 16) {
      const __m256i halves =
          _mm256_packus_epi32(rounded(_mm256_loadu_ps(row + i)), rounded(_mm256_loadu_ps(row + i + 8)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile + r * kTileDepth + i),
                          _mm256_permute4x64_epi64(halves, 0xd8));
    }
  }
}

// Eight words of eight rows -> eight columns; rows of both are 16 words apart.
inline void transpose_words(const uint32_t* in, uint32_t* out) {
  __m256 a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(in + i * 16));
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(reinterpret_cast<float*>(out + i * 16), _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(reinterpret_cast<float*>(out + (i + 4) * 16), _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

inline void transpose_tile(const uint16_t* in, uint16_t* out) {
  const auto* words = reinterpret_cast<const uint32_t*>(in);
  auto* turned = reinterpret_cast<uint32_t*>(out);
  transpose_words(words, turned);
  transpose_words(words + 8, turned + 8 * 16);
  transpose_words(words + 8 * 16, turned + 8);
  transpose_words(words + 8 * 16 + 8, turned + 8 * 16 + 8);
}

// Sixteen columns of two rows -> pairs.
inline void pair_columns(const uint16_t* even, const uint16_t* odd, uint16_t* out) {
  const __m256i a = _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)), 0xd8);
  const __m256i b = _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd)), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_unpacklo_epi16(a, b));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 16), _mm256_unpackhi_epi16(a, b));
}

inline void pair_rows(const uint16_t* in, uint16_t* first, uint16_t* second) {
  for (int r = 0; r < kTileRows; r += 2) {
    const uint16_t *even = in + r * kTileDepth, *odd = even + kTileDepth;
    pair_columns(even, odd, first + r * kTileOutputs);
    pair_columns(even + 16, odd + 16, second + r * kTileOutputs);
  }
}

}  // namespace
}  // namespace hearth::kernels
