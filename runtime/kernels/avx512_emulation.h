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
