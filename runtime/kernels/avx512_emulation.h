// AVX-512 by AVX2 for the tests: SIMDe, and the intrinsics that Debian's version (0.7.4) lacks, each as two halves of
// 256 bits. An intrinsic that is in neither does not compile in the emulated kernels; add it here.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

namespace hearth::kernels::emulated {

inline __m256i low(__m512i x) { return _mm512_castsi512_si256(x); }
inline __m256i high(__m512i x) { return _mm512_extracti64x4_epi64(x, 1); }
inline __m512i join(__m256i a, __m256i b) { return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1); }
inline __m256 low(__m512 x) { return _mm256_castsi256_ps(low(_mm512_castps_si512(x))); }
inline __m256 high(__m512 x) { return _mm256_castsi256_ps(high(_mm512_castps_si512(x))); }
inline __m512 join(__m256 a, __m256 b) {
  return _mm512_castsi512_ps(join(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
inline __m128i low(__m256i x) { return _mm256_castsi256_si128(x); }
inline __m128i high(__m256i x) { return _mm256_extracti128_si256(x, 1); }

inline __m512 cvtepi32_ps(__m512i x) { return join(_mm256_cvtepi32_ps(low(x)), _mm256_cvtepi32_ps(high(x))); }
inline __m512i cvtps_epi32(__m512 x) { return join(_mm256_cvtps_epi32(low(x)), _mm256_cvtps_epi32(high(x))); }
inline __m512i cvttps_epi32(__m512 x) { return join(_mm256_cvttps_epi32(low(x)), _mm256_cvttps_epi32(high(x))); }
inline __m512 cvtph_ps(__m256i x) { return join(_mm256_cvtph_ps(low(x)), _mm256_cvtph_ps(high(x))); }
inline __m256i cvtps_ph(__m512 x) {  // rounds to nearest even, whatever mode is asked for
  return _mm256_set_m128i(_mm256_cvtps_ph(high(x), 0), _mm256_cvtps_ph(low(x), 0));
}
inline __m512i cvtepi8_epi32(__m128i x) {
  return join(_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)));
}
inline __m512i cvtepi16_epi32(__m256i x) { return join(_mm256_cvtepi16_epi32(low(x)), _mm256_cvtepi16_epi32(high(x))); }
inline __m512i cvtepu16_epi32(__m256i x) { return join(_mm256_cvtepu16_epi32(low(x)), _mm256_cvtepu16_epi32(high(x))); }
inline __m512i srai_epi32(__m512i x, int count) {
  return join(_mm256_srai_epi32(low(x), count), _mm256_srai_epi32(high(x), count));
}
inline __m512 maskz_loadu_ps(__mmask16 mask, const float* values) {
  alignas(64) float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = mask >> i & 1 ? values[i] : 0.f;
  return _mm512_load_ps(lanes);
}
inline void mask_storeu_ps(float* values, __mmask16 mask, __m512 x) {
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, x);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) values[i] = lanes[i];
  }
}

// Eight floats -> bf16 in the low halves of eight words, to nearest even; nan stays nan.
inline __m256i round_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(up, nan, is_nan), 16);
}
inline __m256i round_bf16(__m512 x) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(round_bf16(low(x)), round_bf16(high(x))), 0xd8);
}
inline __m512i cvtne2ps_pbh(__m512 upper, __m512 lower) { return join(round_bf16(lower), round_bf16(upper)); }

inline __m256 add_pairs(__m256 sum, __m256i a, __m256i b) {
  const __m256i mask = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  const auto even = [](__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); };
  const auto odd = [&](__m256i pairs) { return _mm256_castsi256_ps(_mm256_and_si256(pairs, mask)); };
  return _mm256_fmadd_ps(odd(a), odd(b), _mm256_fmadd_ps(even(a), even(b), sum));
}
inline __m512 dpbf16_ps(__m512 sum, __m512i a, __m512i b) {
  return join(add_pairs(low(sum), low(a), low(b)), add_pairs(high(sum), high(a), high(b)));
}

// In the order of gcc's: halves are combined until one lane is left.
template <class Combine>
float reduce(__m512 x, Combine combine) {
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, x);
  for (int width = 8; width >= 1; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] = combine(lanes[i], lanes[i + width]);
  }
  return lanes[0];
}
inline float reduce_add_ps(__m512 x) {
  return reduce(x, [](float a, float b) { return a + b; });
}
inline float reduce_max_ps(__m512 x) {
  return reduce(x, [](float a, float b) { return a > b ? a : b; });
}

}  // namespace hearth::kernels::emulated

#define _mm512_cvtepi32_ps hearth::kernels::emulated::cvtepi32_ps
#define _mm512_cvtps_epi32 hearth::kernels::emulated::cvtps_epi32
#define _mm512_cvttps_epi32 hearth::kernels::emulated::cvttps_epi32
#define _mm512_cvtph_ps hearth::kernels::emulated::cvtph_ps
#define __m512bh __m512i
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh hearth::kernels::emulated::cvtne2ps_pbh
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps hearth::kernels::emulated::dpbf16_ps
#define _mm512_cvtps_ph(x, mode) hearth::kernels::emulated::cvtps_ph(x)
#define _mm512_cvtepi8_epi32 hearth::kernels::emulated::cvtepi8_epi32
#define _mm512_cvtepi16_epi32 hearth::kernels::emulated::cvtepi16_epi32
#define _mm512_cvtepu16_epi32 hearth::kernels::emulated::cvtepu16_epi32
#define _mm512_srai_epi32 hearth::kernels::emulated::srai_epi32
#define _mm512_permute_ps(x, order)                                                            \
  hearth::kernels::emulated::join(_mm256_permute_ps(hearth::kernels::emulated::low(x), order), \
                                  _mm256_permute_ps(hearth::kernels::emulated::high(x), order))
#define _mm512_maskz_loadu_ps hearth::kernels::emulated::maskz_loadu_ps
#define _mm512_mask_storeu_ps hearth::kernels::emulated::mask_storeu_ps
#define _mm512_reduce_add_ps hearth::kernels::emulated::reduce_add_ps
#define _mm512_reduce_max_ps hearth::kernels::emulated::reduce_max_ps
