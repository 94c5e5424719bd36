// Rounding and rearranging tiles of bf16 numbers (float_kernels.h) by AVX-512: a row of a tile is one register.
#pragma once

#include <cstdint>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/intrinsics.h"
#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

inline void round_tile(const float* in, int64_t stride, int64_t rows, int64_t columns, uint16_t* tile) {
  const __mmask16 low = mask_of_first(static_cast<int>(columns)), high = mask_of_first(static_cast<int>(columns) - 16);
  for (int64_t r = 0; r < kTileRows; ++r) {
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    if (r < rows) {
      a = _mm512_maskz_loadu_ps(low, in + r * stride);
      if (high) b = _mm512_maskz_loadu_ps(high, in + r * stride + 16);
    }
    _mm512_storeu_si512(tile + r * kTileDepth, (__m512i)_mm512_cvtne2ps_pbh(b, a));
  }
}

// Words of 16 rows -> columns, 4 steps of doubling squares.
inline void transpose_tile(const uint16_t* in, uint16_t* out) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(in + i * kTileDepth);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  // a[4 q + k] has of rows 4 q .. 4 q + 3 the columns k, k + 4, k + 8, k + 12, one a quarter
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const __m512i even01 = _mm512_shuffle_i32x4(a[k], a[4 + k], 0x88),
                  odd01 = _mm512_shuffle_i32x4(a[k], a[4 + k], 0xdd);
    const __m512i even23 = _mm512_shuffle_i32x4(a[8 + k], a[12 + k], 0x88);
    const __m512i odd23 = _mm512_shuffle_i32x4(a[8 + k], a[12 + k], 0xdd);
    _mm512_storeu_si512(out + k * kTileDepth, _mm512_shuffle_i32x4(even01, even23, 0x88));
    _mm512_storeu_si512(out + (k + 4) * kTileDepth, _mm512_shuffle_i32x4(odd01, odd23, 0x88));
    _mm512_storeu_si512(out + (k + 8) * kTileDepth, _mm512_shuffle_i32x4(even01, even23, 0xdd));
    _mm512_storeu_si512(out + (k + 12) * kTileDepth, _mm512_shuffle_i32x4(odd01, odd23, 0xdd));
  }
}

// Two rows of 32 columns: unpacking pairs them within quarters, which then go where their columns are.
inline void pair_rows(const uint16_t* in, uint16_t* first, uint16_t* second) {
  const __m512i low_half = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const __m512i high_half = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; r += 2) {
    const __m512i even = _mm512_loadu_si512(in + r * kTileDepth), odd = _mm512_loadu_si512(in + (r + 1) * kTileDepth);
    const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    _mm512_storeu_si512(first + r * kTileOutputs, _mm512_permutex2var_epi64(low, low_half, high));
    _mm512_storeu_si512(second + r * kTileOutputs, _mm512_permutex2var_epi64(low, high_half, high));
  }
}

}  // namespace
}  // namespace hearth::kernels
