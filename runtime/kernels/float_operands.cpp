#include "runtime/kernels/float_operands.h"

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/kernels/matmul_kernels.h"

namespace hearth::kernels {

const FloatKernels& float_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_float_kernels();
    case Isa::kAvx2:
      return avx2_float_kernels();
    case Isa::kAvx512:
      return avx512_float_kernels();
    case Isa::kAmx:
      return amx_float_kernels();
  }
  throw internal_error("products of floats have no kernels for this instruction set");
}

void lay_out_f32(const RowsView& in, int64_t begin, int64_t end, float* out, Isa isa) {
  for (int64_t t = begin; t < end; ++t) {
    const float* rows = in.values + t * kTileRows * in.stride;
    float* tile = out + t * kTileRows * in.columns;
    const int64_t count = std::min<int64_t>(kTileRows, in.rows - t * kTileRows);
    if (count == kTileRows) {
      matmul_kernels(isa).transpose(rows, in.stride, in.columns, tile);
      continue;
    }
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t i = 0; i < in.columns; ++i) tile[i * kTileRows + r] = rows[r * in.stride + i];
    }
  }
}

void lay_out_bf16(const RowsView& in, int64_t begin, int64_t end, uint16_t* out, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  const int64_t blocks = blocks_of(in.columns);
  for (int64_t t = begin; t < end; ++t) {
    const float* rows = in.values + t * kTileRows * in.stride;
    const int64_t count = std::min<int64_t>(kTileRows, in.rows - t * kTileRows);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t columns = std::min<int64_t>(kTileDepth, in.columns - b * kTileDepth);
      kernels.round_tile(rows + b * kTileDepth, in.stride, count, columns, out + (t * blocks + b) * kTileElements);
    }
  }
}

}  // namespace hearth::kernels
