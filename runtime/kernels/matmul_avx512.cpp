#include "runtime/kernels/matmul_simd.h"

namespace hearth::kernels {
namespace {

// 16 outputs in one register; products of pairs are added by VNNI.
struct Avx512 {
  using Floats = __m512;
  using Ints = __m512i;
  static constexpr int kRows = 8;
  static constexpr bool kUnrollWords = false;  // the dot product instruction accumulates in place

  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
  static Floats load_f16(const std::byte* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Floats broadcast(float x) { return _mm512_set1_ps(x); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }

  static Ints load_words(const std::byte* p) { return _mm512_loadu_si512(p); }
  static void store_words(std::byte* p, Ints x) { _mm512_storeu_si512(p, x); }
  static Ints zero() { return _mm512_setzero_si512(); }
  static Ints broadcast(int32_t x) { return _mm512_set1_epi32(x); }
  static Ints multiply_32(Ints a, int32_t b) { return _mm512_mullo_epi32(a, _mm512_set1_epi32(b)); }
  template <int kCount>
  static Ints shift_right_16(Ints x) {
    return _mm512_srli_epi16(x, kCount);
  }
  static Ints and_16(Ints x, int mask) { return _mm512_and_si512(x, _mm512_set1_epi16(static_cast<int16_t>(mask))); }
  static Ints add_products(Ints sum, Ints a, Ints b) { return _mm512_dpwssd_epi32(sum, a, b); }
  static Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
};

constexpr MatmulKernels kKernels = {round_activations,  unpack<Avx512>,     multiply<Avx512>,
                                    transpose<LoadF32>, transpose<LoadF16>, transpose<LoadBf16>};

}  // namespace

const MatmulKernels& avx512_matmul_kernels() { return kKernels; }

}  // namespace hearth::kernels
