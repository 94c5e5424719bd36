// Products of bf16 numbers by AMX: tiles of 16 rows by 64 bytes, two row tiles by two panels at a time. The other
// kernels are those of AVX-512.
#include <cstdint>
#include <cstring>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/intrinsics.h"

namespace hearth::kernels {
namespace {

constexpr int kSide = 2 * kTileRows;  // rows and columns of a group
constexpr int64_t kChunk = 48;        // blocks of two row tiles: 96 KB

// Eight tiles of 16 rows by 64 bytes: 0..3 sums, 4 and 5 of a, 6 and 7 of b.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
// Not on the stack: gcc's intrinsic says that it reads eight bytes only, and the others would not be written.
alignas(64) constexpr TileConfig kConfig;

struct Tiles {
  Tiles() { _tile_loadconfig(&kConfig); }
  ~Tiles() { _tile_release(); }  // so that a thread's idle tiles are not saved at every switch
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

struct Group {
  Bf16Operands first, second;  // of two row tiles and two panels
  float* c;
  int64_t c_stride;
  bool starts;
};

// The second row tile and the second panel count only where kRowTiles and kPanels are 2.
template <int kRowTiles, int kPanels>
inline void add_products(const Bf16Operands& o) {
  const uint16_t *a0 = o.a, *a1 = o.a + o.a_tile, *b0 = o.b, *b1 = o.b + o.b_panel;
  for (int64_t k = 0; k < o.blocks * kTileElements; k += kTileElements) {
    _tile_loadd(6, b0 + k, 64);
    _tile_loadd(4, a0 + k, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kPanels == 2) {
      _tile_loadd(7, b1 + k, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRowTiles == 2) {
      _tile_loadd(5, a1 + k, 64);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kPanels == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
}

template <int kRowTiles, int kPanels>
inline void multiply_group(const Group& g) {
  const int64_t row = g.c_stride * static_cast<int64_t>(sizeof(float));
  float* below = g.c + kTileRows * g.c_stride;
  if (g.starts) {
    _tile_zero(0);
    if constexpr (kPanels == 2) _tile_zero(1);
    if constexpr (kRowTiles == 2) _tile_zero(2);
    if constexpr (kRowTiles == 2 && kPanels == 2) _tile_zero(3);
  } else {
    _tile_loadd(0, g.c, row);
    if constexpr (kPanels == 2) _tile_loadd(1, g.c + kTileOutputs, row);
    if constexpr (kRowTiles == 2) _tile_loadd(2, below, row);
    if constexpr (kRowTiles == 2 && kPanels == 2) _tile_loadd(3, below + kTileOutputs, row);
  }
  add_products<kRowTiles, kPanels>(g.first);
  add_products<kRowTiles, kPanels>(g.second);
  _tile_stored(0, g.c, row);
  if constexpr (kPanels == 2) _tile_stored(1, g.c + kTileOutputs, row);
  if constexpr (kRowTiles == 2) _tile_stored(2, below, row);
  if constexpr (kRowTiles == 2 && kPanels == 2) _tile_stored(3, below + kTileOutputs, row);
}

void multiply_tiles(const Group& g, int64_t row_tiles, int64_t panels) {
  if (row_tiles == 2 && panels == 2) return multiply_group<2, 2>(g);
  if (row_tiles == 2) return multiply_group<2, 1>(g);
  if (panels == 2) return multiply_group<1, 2>(g);
  multiply_group<1, 1>(g);
}

// A group at the border of c, through a copy.
void multiply_border(Group g, int64_t rows, int64_t columns) {
  alignas(64) float sums[kSide * kSide] = {};
  float* c = g.c;
  const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
  if (!g.starts)
    for (int64_t r = 0; r < rows; ++r) std::memcpy(sums + r * kSide, c + r * g.c_stride, bytes);
  const int64_t c_stride = g.c_stride;
  g.c = sums;
  g.c_stride = kSide;
  multiply_tiles(g, (rows + kTileRows - 1) / kTileRows, (columns + kTileOutputs - 1) / kTileOutputs);
  for (int64_t r = 0; r < rows; ++r) std::memcpy(c + r * c_stride, sums + r * kSide, bytes);
}

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Of the row tiles and panels from `row` and `column` on, `blocks` from `block` on.
Bf16Operands part(const Bf16Operands& o, int64_t row, int64_t column, int64_t block, int64_t blocks) {
  if (blocks == 0) return {};
  return {o.a + row / kTileRows * o.a_tile + block * kTileElements, o.a_tile,
          o.b + column / kTileOutputs * o.b_panel + block * kTileElements, o.b_panel, blocks};
}

// Two row tiles stay in the first-level cache while all panels pass.
void multiply_bf16(const Bf16Product& p) {
  const Tiles tiles;
  const int64_t chunks = (p.first.blocks + kChunk - 1) / kChunk;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t begin = p.first.blocks * chunk / chunks, blocks = p.first.blocks * (chunk + 1) / chunks - begin;
    for (int64_t row = 0; row < p.rows; row += kSide) {
      const int64_t rows = least(kSide, p.rows - row);
      for (int64_t column = 0; column < p.columns; column += kSide) {
        const int64_t columns = least(kSide, p.columns - column);
        const Group g = {part(p.first, row, column, begin, blocks),
                         chunk + 1 == chunks ? part(p.second, row, column, 0, p.second.blocks) : Bf16Operands{},
                         p.c + row * p.c_stride + column, p.c_stride, p.starts && chunk == 0};
        if (rows % kTileRows == 0 && columns % kTileOutputs == 0) {
          multiply_tiles(g, rows / kTileRows, columns / kTileOutputs);
        } else {
          multiply_border(g, rows, columns);
        }
      }
    }
  }
}

}  // namespace

const FloatKernels& amx_float_kernels() {
  static const FloatKernels kernels = [] {
    FloatKernels all = avx512_float_kernels();
    all.multiply_bf16 = multiply_bf16;
    return all;
  }();
  return kernels;
}

}  // namespace hearth::kernels
