// The vector kernels of matmul, written once over a type V that holds a panel's 16 outputs: two registers of AVX2 or
// one of AVX-512. Included by matmul_avx2.cpp and matmul_avx512.cpp, each with a V of its own in an anonymous
// namespace, so that no instantiation is shared between instruction sets. V has Floats, Ints, kRows (rows
// that share one read of the weights), kUnrollWords, and the operations used below.
#pragma once

#include <cstring>

#include "runtime/kernels/intrinsics.h"
#include "runtime/kernels/matmul_kernels.h"

namespace hearth::kernels {
namespace {

constexpr int kOutputs = 16;
constexpr int kInputs = 32;

inline int32_t load_i32(const void* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

inline __m256 absolute(__m256 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), x); }

inline float largest_lane(__m256 x) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

inline int32_t sum_lanes(__m256i x) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

// 16 values times `inverse`, rounded; returns their sum.
inline int32_t round_half(__m256 low, __m256 high, __m256 inverse, int16_t* q) {
  const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(low, inverse));
  const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(high, inverse));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), packed);
  return sum_lanes(_mm256_madd_epi16(packed, _mm256_set1_epi16(1)));
}

inline void round_activations(const float* x, int64_t blocks, ActivationBlock* out) {
  for (int64_t b = 0; b < blocks; ++b, x += kInputs, ++out) {
    __m256 v[4];
    for (int i = 0; i < 4; ++i) v[i] = _mm256_loadu_ps(x + 8 * i);
    const __m256 zero = _mm256_setzero_ps();
    const __m256 even = _mm256_max_ps(absolute(v[0]), absolute(v[2])),
                 odd = _mm256_max_ps(absolute(v[1]), absolute(v[3]));
    const float largest = largest_lane(_mm256_max_ps(even, odd));
    // 0 * x is nan when x is not finite, and comparing nan with itself is the way to see it in any lane.
    __m256 poison = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(v[0], zero), _mm256_mul_ps(v[1], zero)),
                                  _mm256_add_ps(_mm256_mul_ps(v[2], zero), _mm256_mul_ps(v[3], zero)));
    const bool finite = _mm256_movemask_ps(_mm256_cmp_ps(poison, poison, _CMP_UNORD_Q)) == 0;
    const bool usable = finite && largest > 1e-30f;  // 32767 / largest must be finite
    const float scale = usable ? largest / 32767.f : finite ? 0.f : __builtin_nanf("");
    const __m256 inverse = _mm256_set1_ps(usable ? 32767.f / largest : 0.f);
    const int32_t first = round_half(v[0], v[1], inverse, out->q);
    const int32_t second = round_half(v[2], v[3], inverse, out->q + 16);
    out->scale = scale;
    out->sum = scale * static_cast<float>(first + second);
    out->half_sum[0] = scale * static_cast<float>(first);
    out->half_sum[1] = scale * static_cast<float>(second);
    out->negative_sum = -(first + second);
    out->negative_half_sum[0] = -first;
    out->negative_half_sum[1] = -second;
    out->padding = 0;
  }
}

// Pairs of codes in a word, and the k-th pair of a register of words.
template <int kBits>
constexpr int kPairs = 16 / kBits;

template <class V, int kBits, int k>
inline typename V::Ints pair(typename V::Ints words) {
  if constexpr (kBits == 16) {
    return words;
  } else {
    const typename V::Ints shifted = k == 0 ? words : V::template shift_right_16<k * kBits>(words);
    return k == kPairs<kBits> - 1 ? shifted : V::and_16(shifted, (1 << kBits) - 1);
  }
}

template <class V, int kBits>
inline typename V::Floats load_factors(const std::byte* factors, int index) {
  if constexpr (kBits == 16) {
    return V::load(reinterpret_cast<const float*>(factors) + index * kOutputs);
  } else {
    return V::load_f16(factors + index * kOutputs * sizeof(int16_t));
  }
}

template <class V, int kBits, int kRows, int k>
inline void add_pairs(typename V::Ints words, const ActivationBlock* const (&x)[kRows], int first_pair,
                      typename V::Ints (&dot)[kRows]) {
  const typename V::Ints codes = pair<V, kBits, k>(words);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
    dot[r] = V::add_products(dot[r], codes, V::broadcast(load_i32(x[r]->q + 2 * (first_pair + k))));
  if constexpr (k + 1 < kPairs<kBits>) add_pairs<V, kBits, kRows, k + 1>(words, x, first_pair, dot);
}

template <class V, int kBits, int kGroups, bool kMinimum, int kRows>
void multiply_rows(const Panel& panel, int64_t blocks, const ActivationBlock* rows, int64_t x_stride, float* y,
                   int64_t y_stride) {
  constexpr int kWords = kInputs / 2 / kPairs<kBits> / kGroups;  // of a group
  typename V::Floats sum[kRows];
  const ActivationBlock* x[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    sum[r] = V::load(y + r * y_stride);
    x[r] = rows + r * x_stride;
  }
  const std::byte* block = panel.blocks;
  for (int64_t b = 0; b < blocks; ++b, block += panel.block_bytes) {
    const std::byte* factors = block + kInputs * kOutputs * kBits / 8;
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      typename V::Ints dot[kRows];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        dot[r] = kMinimum ? V::zero()
                          : V::multiply_32(V::broadcast(kGroups == 2 ? x[r]->negative_half_sum[g] : x[r]->negative_sum),
                                           panel.zero);
      }
      const auto add_word = [&](int w) {
        const typename V::Ints words = V::load_words(block + w * kOutputs * sizeof(int32_t));
        add_pairs<V, kBits, kRows, 0>(words, x, w * kPairs<kBits>, dot);
      };
      if constexpr (V::kUnrollWords) {
#pragma GCC unroll 16
        for (int w = g * kWords; w < (g + 1) * kWords; ++w) add_word(w);
      } else {
        for (int w = g * kWords; w < (g + 1) * kWords; ++w) add_word(w);
      }
      const typename V::Floats scale = load_factors<V, kBits>(factors, g);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        sum[r] = V::multiply_add(V::to_floats(dot[r]), V::multiply(scale, V::broadcast(x[r]->scale)), sum[r]);
      }
      if constexpr (kMinimum) {
        const typename V::Floats minimum = load_factors<V, kBits>(factors, kGroups + g);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          sum[r] = V::multiply_add(minimum, V::broadcast(kGroups == 2 ? x[r]->half_sum[g] : x[r]->sum), sum[r]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) ++x[r];
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) V::store(y + r * y_stride, sum[r]);
}

// Calls fn.template operator()<N>(row) so that the Ns cover [row, rows): kRows as often as it fits, then half of it,
// and so on.
template <int kRows, class Fn>
void for_row_groups(int64_t row, int64_t rows, const Fn& fn) {
  for (; row + kRows <= rows; row += kRows) fn.template operator()<kRows>(row);
  if constexpr (kRows > 1) for_row_groups<kRows / 2>(row, rows, fn);
}

template <class V, int kBits, int kGroups, bool kMinimum>
void multiply_panel(const Panel& panel, int64_t blocks, const ActivationBlock* x, int64_t x_stride, int64_t rows,
                    float* y, int64_t y_stride) {
  for_row_groups<V::kRows>(0, rows, [&]<int kRows>(int64_t row) {
    multiply_rows<V, kBits, kGroups, kMinimum, kRows>(panel, blocks, x + row * x_stride, x_stride, y + row * y_stride,
                                                      y_stride);
  });
}

template <class V>
void multiply(const Panel& panel, int64_t blocks, const ActivationBlock* x, int64_t x_stride, int64_t rows, float* y,
              int64_t y_stride) {
  using Multiply = void (*)(const Panel&, int64_t, const ActivationBlock*, int64_t, int64_t, float*, int64_t);
  static constexpr Multiply kVariants[3][2][2] = {{{multiply_panel<V, 4, 1, false>, multiply_panel<V, 4, 1, true>},
                                                   {multiply_panel<V, 4, 2, false>, multiply_panel<V, 4, 2, true>}},
                                                  {{multiply_panel<V, 8, 1, false>, multiply_panel<V, 8, 1, true>},
                                                   {multiply_panel<V, 8, 2, false>, multiply_panel<V, 8, 2, true>}},
                                                  {{multiply_panel<V, 16, 1, false>, multiply_panel<V, 16, 1, true>},
                                                   {multiply_panel<V, 16, 2, false>, multiply_panel<V, 16, 2, true>}}};
  kVariants[panel.bits / 8][panel.groups - 1][panel.has_minimum](panel, blocks, x, x_stride, rows, y, y_stride);
}

template <class V, int kBits, int k>
inline void store_pairs(typename V::Ints words, std::byte* out) {
  V::store_words(out + k * kOutputs * sizeof(int32_t), pair<V, kBits, k>(words));
  if constexpr (k + 1 < kPairs<kBits>) store_pairs<V, kBits, k + 1>(words, out);
}

template <class V, int kBits>
void unpack_panel(const Panel& panel, int64_t blocks, std::byte* out) {
  constexpr int kWords = kInputs / 2 / kPairs<kBits>;
  const int factors = panel.groups * (panel.has_minimum ? 2 : 1);
  const std::byte* block = panel.blocks;
  for (int64_t b = 0; b < blocks; ++b, block += panel.block_bytes, out += kUnpackedBlockBytes) {
    for (int w = 0; w < kWords; ++w) {
      store_pairs<V, kBits, 0>(V::load_words(block + w * kOutputs * sizeof(int32_t)),
                               out + w * kPairs<kBits> * kOutputs * sizeof(int32_t));
    }
    float* unpacked = reinterpret_cast<float*>(out + kInputs * kOutputs * sizeof(int16_t));
    for (int i = 0; i < factors; ++i)
      V::store(unpacked + i * kOutputs, load_factors<V, kBits>(block + kInputs * kOutputs * kBits / 8, i));
  }
}

template <class V>
void unpack(const Panel& panel, int64_t blocks, std::byte* out) {
  if (panel.bits == 4) {
    unpack_panel<V, 4>(panel, blocks, out);
  } else {
    unpack_panel<V, 8>(panel, blocks, out);
  }
}

// Eight stored values as f32.
struct LoadF32 {
  using Stored = float;
  static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
};
struct LoadF16 {
  using Stored = uint16_t;
  static __m256 load(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};
struct LoadBf16 {
  using Stored = uint16_t;
  static __m256 load(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
};

// Eight values of eight rows -> eight columns, 16 floats apart.
template <class Load>
void transpose_8x8(const typename Load::Stored* in, int64_t stride, float* out) {
  __m256 a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = Load::load(in + i * stride);
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
    _mm256_storeu_ps(out + i * kOutputs, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * kOutputs, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}

template <class Load>
void transpose(const typename Load::Stored* in, int64_t stride, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    transpose_8x8<Load>(in + i, stride, out + i * kOutputs);
    transpose_8x8<Load>(in + 8 * stride + i, stride, out + i * kOutputs + 8);
  }
  if (i == n) return;
  // The last few values through copies that are long enough to load.
  typename Load::Stored tail[kOutputs * 8] = {};
  float columns[8 * kOutputs];
  for (int o = 0; o < kOutputs; ++o)
    std::memcpy(tail + o * 8, in + o * stride + i, static_cast<size_t>(n - i) * sizeof(*in));
  transpose<Load>(tail, 8, 8, columns);
  std::memcpy(out + i * kOutputs, columns, static_cast<size_t>(n - i) * kOutputs * sizeof(float));
}

}  // namespace
}  // namespace hearth::kernels
