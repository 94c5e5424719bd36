#include <cstdint>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/float_product_simd.h"
#include "runtime/kernels/intrinsics.h"
#include "runtime/kernels/tile512_simd.h"

namespace hearth::kernels {
namespace {

// kRows rows and kPanels panels, whose sums stay in registers.
template <int kRows, int kPanels>
inline void multiply_group(const Bf16Product& p, int64_t row, int64_t panel, __mmask16 last) {
  float* c = p.c + row * p.c_stride + panel * kTileOutputs;
  __m512 sum[kRows][kPanels];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int i = 0; i < kPanels; ++i) {
      const __mmask16 mask = i + 1 < kPanels ? __mmask16{0xffff} : last;
      sum[r][i] = p.starts ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, c + r * p.c_stride + i * kTileOutputs);
    }
  }
  for (const Bf16Operands* o : {&p.first, &p.second}) {
    const uint16_t* a = o->a + row / kTileRows * o->a_tile + row % kTileRows * kTileDepth;
    const uint16_t* b = o->b + panel * o->b_panel;
    for (int64_t block = 0; block < o->blocks; ++block, a += kTileElements, b += kTileElements) {
      for (int d = 0; d < kTileDepth; d += 2) {
        __m512i shared[kPanels];
#pragma GCC unroll 3
        for (int i = 0; i < kPanels; ++i) shared[i] = _mm512_loadu_si512(b + i * o->b_panel + d * kTileOutputs);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const __m512i pair = _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(a + r * kTileDepth + d));
#pragma GCC unroll 3
          for (int i = 0; i < kPanels; ++i)
            sum[r][i] = _mm512_dpbf16_ps(sum[r][i], (__m512bh)pair, (__m512bh)shared[i]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int i = 0; i < kPanels; ++i) {
      const __mmask16 mask = i + 1 < kPanels ? __mmask16{0xffff} : last;
      _mm512_mask_storeu_ps(c + r * p.c_stride + i * kTileOutputs, mask, sum[r][i]);
    }
  }
}

inline void multiply_bf16(const Bf16Product& p) {
  const int64_t panels = (p.columns + kTileOutputs - 1) / kTileOutputs;
  for (int64_t panel = 0; panel < panels; panel += Lanes::kGroupColumns) {
    const int64_t left = panels - panel;
    const int64_t rest = p.columns - panel * kTileOutputs;
    for_row_groups(p.rows, [&]<int kRows>(int64_t r) {
      if (left >= 3) {
        multiply_group<kRows, 3>(p, r, panel, mask_of_first(static_cast<int>(rest < 48 ? rest - 32 : 16)));
      } else if (left == 2) {
        multiply_group<kRows, 2>(p, r, panel, mask_of_first(static_cast<int>(rest - 16)));
      } else {
        multiply_group<kRows, 1>(p, r, panel, mask_of_first(static_cast<int>(rest)));
      }
    });
  }
}

constexpr FloatKernels kKernels = {multiply_f32, multiply_bf16, round_tile, transpose_tile, pair_rows};

}  // namespace

const FloatKernels& avx512_float_kernels() { return kKernels; }

}  // namespace hearth::kernels
