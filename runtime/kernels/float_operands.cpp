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

void lay_out_bf16_rows(const RowsView& m, uint16_t* out, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  for (int64_t row = 0; row < m.rows; row += kTileOutputs) {
    for (int64_t column = 0; column < m.columns; column += kTileDepth, out += kTileElements) {
      uint16_t tile[kTileElements];
      kernels.round_tile(m.values + row * m.stride + column, m.stride, std::min<int64_t>(kTileRows, m.rows - row),
                         std::min<int64_t>(kTileDepth, m.columns - column), tile);
      kernels.transpose_tile(tile, out);
    }
  }
}

void lay_out_bf16_columns(const RowsView& m, uint16_t* out, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  const int64_t panel = blocks_of(m.rows) * kTileElements;
  for (int64_t column = 0; column < m.columns; column += kTileDepth, out += 2 * panel) {
    for (int64_t row = 0; row < blocks_of(m.rows) * kTileDepth; row += kTileRows) {
      uint16_t tile[kTileElements];
      const int64_t rows = std::clamp<int64_t>(m.rows - row, 0, kTileRows);
      kernels.round_tile(m.values + std::min(row, m.rows) * m.stride + column, m.stride, rows,
                         std::min<int64_t>(kTileDepth, m.columns - column), tile);
      uint16_t* half = out + row * kTileOutputs;
      kernels.pair_rows(tile, half, half + panel);
    }
  }
}

}  // namespace hearth::kernels
