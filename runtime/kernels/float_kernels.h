// The inner loops of products of floats and of bf16 numbers, one table per instruction set; matmul.cpp and the files
// beside it cut the work and lay operands out. f32: every version adds in the same order, so the tables give bit-equal
// results. bf16: products of bf16 numbers are exact in f32, their sums are rounded in an order of the instruction's, so
// the tables agree within rounding only. An element's sum never depends on its neighbours. Pointers need no alignment.
#pragma once

#include <cstdint>

#include "runtime/base/cpu.h"

namespace hearth::kernels {

inline constexpr int kTileRows = 16;                          // of a and of c
inline constexpr int kTileOutputs = 16;                       // columns of b and of c: a panel
inline constexpr int kTileDepth = 32;                         // of bf16 numbers
inline constexpr int kTileElements = kTileRows * kTileDepth;  // 1 KB of bf16

// c [rows][columns] += a b (or = where it starts, as if c had been 0), c = fma(a, b, c) in the order of depth, where
//   a(r, d) = a[r / 16 * a_tile + d * a_stride + r % 16]
//   b(d, j) = b[j / 16 * b_panel + d * b_stride + j % 16]
struct FloatProduct {
  const float* a;
  int64_t a_stride, a_tile;
  const float* b;
  int64_t b_stride, b_panel;
  float* c;
  int64_t c_stride;
  int64_t rows, columns, depth;
  bool starts = false;
};

// Operands in tiles of bf16, 32 of the depth each:
//   row tile t of a: a + t * a_tile, `blocks` tiles [16 rows][32]
//   panel p of b: b + p * b_panel, `blocks` tiles [16 pairs of the depth][16 columns][2]
// Rows and columns past the last, and the depth past the last, are zero in the tiles (or not read).
struct Bf16Operands {
  const uint16_t* a = nullptr;
  int64_t a_tile = 0;
  const uint16_t* b = nullptr;
  int64_t b_panel = 0, blocks = 0;
};

// The same as FloatProduct of their numbers; then a second product is added to the first, of the same rows and columns.
struct Bf16Product {
  Bf16Operands first;
  float* c;
  int64_t c_stride;
  int64_t rows, columns;
  bool starts = false;
  Bf16Operands second = {};
};

struct FloatKernels {
  void (*multiply_f32)(const FloatProduct& product);
  void (*multiply_bf16)(const Bf16Product& product);

  // in [rows <= 16][columns <= 32], rows `stride` floats apart -> a tile [16][32], rounded to nearest even and padded
  // with zeros.
  void (*round_tile)(const float* in, int64_t stride, int64_t rows, int64_t columns, uint16_t* tile);
  // in [16][32] -> out [16 pairs of columns][16][2]: a tile of a becomes one of b, and the reverse. in may not be out.
  void (*transpose_tile)(const uint16_t* in, uint16_t* out);
  // in [16][32] -> [8 pairs of rows][16][2] of the first 16 columns and of the others: halves of tiles of b.
  void (*pair_rows)(const uint16_t* in, uint16_t* first, uint16_t* second);
};

const FloatKernels& float_kernels(Isa isa);

const FloatKernels& scalar_float_kernels();
const FloatKernels& avx2_float_kernels();
const FloatKernels& avx512_float_kernels();
const FloatKernels& amx_float_kernels();

}  // namespace hearth::kernels
