#include "runtime/kernels/matmul_simd.h"

namespace hearth::kernels {
namespace {

// 16 outputs in two registers.
struct Avx2 {
  struct Floats {
    __m256 low, high;
  };
  struct Ints {
    __m256i low, high;
  };
  static constexpr int kRows = 4;  // 8 accumulators, 2 registers of words, 2 of codes, a mask, a broadcast, a product
  static constexpr bool kUnrollWords = true;  // a loop would copy its accumulators at every turn

  static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, Floats x) {
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
  }
  static Floats load_f16(const std::byte* p) {
    const auto* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  static Floats broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static Floats multiply(Floats a, Floats b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static Floats multiply_add(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }

  static Ints load_words(const std::byte* p) {
    const auto* words = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(words), _mm256_loadu_si256(words + 1)};
  }
  static void store_words(std::byte* p, Ints x) {
    auto* words = reinterpret_cast<__m256i*>(p);
    _mm256_storeu_si256(words, x.low);
    _mm256_storeu_si256(words + 1, x.high);
  }
  static Ints zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Ints broadcast(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static Ints multiply_32(Ints a, int32_t b) {
    const __m256i factor = _mm256_set1_epi32(b);
    return {_mm256_mullo_epi32(a.low, factor), _mm256_mullo_epi32(a.high, factor)};
  }
  template <int kCount>
  static Ints shift_right_16(Ints x) {
    return {_mm256_srli_epi16(x.low, kCount), _mm256_srli_epi16(x.high, kCount)};
  }
  static Ints and_16(Ints x, int mask) {
    const __m256i m = _mm256_set1_epi16(static_cast<int16_t>(mask));
    return {_mm256_and_si256(x.low, m), _mm256_and_si256(x.high, m)};
  }
  static Ints add_products(Ints sum, Ints a, Ints b) {
    sum.low = _mm256_add_epi32(sum.low, _mm256_madd_epi16(a.low, b.low));
    sum.high = _mm256_add_epi32(sum.high, _mm256_madd_epi16(a.high, b.high));
    // Keeps gcc from moving all products before all additions, which spills registers: 67 instead of 35 GMAC/s on
    // Zen 3.
    asm("" : "+x"(sum.low), "+x"(sum.high));
    return sum;
  }
  static Floats to_floats(Ints x) { return {_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
};

constexpr MatmulKernels kKernels = {round_activations,  unpack<Avx2>,       multiply<Avx2>,
                                    transpose<LoadF32>, transpose<LoadF16>, transpose<LoadBf16>};

}  // namespace

const MatmulKernels& avx2_matmul_kernels() { return kKernels; }

}  // namespace hearth::kernels
