// Lays matrices of floats out as the float kernels read them (float_kernels.h). Tiles of 16 rows are independent, so
// threads share the work by tiles.
#pragma once

#include <cstdint>

#include "runtime/base/cpu.h"
#include "runtime/kernels/float_kernels.h"

namespace hearth::kernels {

// Rows of floats, `stride` apart.
struct RowsView {
  const float* values;
  int64_t stride, rows, columns;
};

inline int64_t tiles_of(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }
inline int64_t blocks_of(int64_t columns) { return (columns + kTileDepth - 1) / kTileDepth; }

// Tiles [begin, end) of the rows -> out [tiles][columns][16]. Of a last tile that is not whole, the rows there are.
void lay_out_f32(const RowsView& in, int64_t begin, int64_t end, float* out, Isa isa);
// -> out [tiles][blocks][16][32] of bf16, padded with zeros.
void lay_out_bf16(const RowsView& in, int64_t begin, int64_t end, uint16_t* out, Isa isa);
// A matrix as the second operand of bf16 products, all of it on the caller's thread, padded with zeros.
// Its rows become columns: [panels of rows][blocks of columns].
void lay_out_bf16_rows(const RowsView& m, uint16_t* out, Isa isa);
// Its rows become the depth: [panels of columns, an even number][blocks of rows].
void lay_out_bf16_columns(const RowsView& m, uint16_t* out, Isa isa);

}  // namespace hearth::kernels
