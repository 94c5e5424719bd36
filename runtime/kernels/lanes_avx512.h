// Sixteen floats in one register; see lanes_scalar.h.
#pragma once

#include <cstdint>

#include "runtime/kernels/intrinsics.h"

namespace hearth::kernels {
namespace {

inline __mmask16 mask_of_first(int n) {  // any n: below 0 counts as 0, above 16 as 16
  return static_cast<__mmask16>(n <= 0 ? 0u : n >= 16 ? 0xffffu : (1u << n) - 1u);
}

struct Lanes {
  static constexpr int kRows = 12;  // chains enough for two multiply-adds a cycle of latency four
  static constexpr int kGroupRows = 8, kGroupColumns = 3;  // of a product whose both factors are laid out: 24 sums
  __m512 all;

  static Lanes zero() { return {_mm512_setzero_ps()}; }
  static Lanes broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Lanes load(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static Lanes load(const float* p, int n) { return {_mm512_maskz_loadu_ps(mask_of_first(n), p)}; }
  static Lanes load(const uint16_t* p, int n) {
    alignas(32) uint16_t padded[16] = {};
    for (int i = 0; i < n; ++i) padded[i] = p[i];
    return load(padded);
  }
  void store(float* p) const { _mm512_storeu_ps(p, all); }
  void store(uint16_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(all, _MM_FROUND_TO_NEAREST_INT));
  }
  void store(float* p, int n) const { _mm512_mask_storeu_ps(p, mask_of_first(n), all); }
};

inline Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.all, b.all)}; }
inline Lanes operator-(Lanes a, Lanes b) { return {_mm512_sub_ps(a.all, b.all)}; }
inline Lanes operator*(Lanes a, Lanes b) { return {_mm512_mul_ps(a.all, b.all)}; }
inline Lanes operator/(Lanes a, Lanes b) { return {_mm512_div_ps(a.all, b.all)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.all, b.all, c.all)}; }
inline Lanes negated_fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fnmadd_ps(a.all, b.all, c.all)}; }
inline Lanes sqrt(Lanes x) { return {_mm512_sqrt_ps(x.all)}; }
inline Lanes max(Lanes a, Lanes b) { return {_mm512_max_ps(a.all, b.all)}; }
inline Lanes min(Lanes a, Lanes b) { return {_mm512_min_ps(a.all, b.all)}; }
inline Lanes first(int n, Lanes a, Lanes b) { return {_mm512_mask_blend_ps(mask_of_first(n), b.all, a.all)}; }
inline Lanes copy_sign(Lanes a, Lanes b) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_andnot_si512(sign, _mm512_castps_si512(a.all)),
                                              _mm512_and_si512(sign, _mm512_castps_si512(b.all))))};
}
inline void store_bf16(Lanes x, uint16_t* p) {
  const auto twice = (__m512i)_mm512_cvtne2ps_pbh(x.all, x.all);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256(twice));
}
inline Lanes load_bf16(const uint16_t* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))};
}
inline Lanes swap_neighbours(Lanes x) { return {_mm512_permute_ps(x.all, 0b10110001)}; }
inline Lanes shifted_exponent(Lanes x, int32_t bias) {
  return {_mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_castps_si512(x.all), _mm512_set1_epi32(bias)), 23))};
}
inline uint32_t equal_mask(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a.all, b.all, _CMP_EQ_OQ); }

inline __m256 upper_half(__m512 x) { return _mm256_castsi256_ps(_mm512_extracti64x4_epi64(_mm512_castps_si512(x), 1)); }
inline float sum_lanes(Lanes x) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x.all), upper_half(x.all));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float largest_lane(Lanes x) {
  const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x.all), upper_half(x.all));
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

}  // namespace
}  // namespace hearth::kernels
