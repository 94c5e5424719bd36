// Products of bf16 numbers by AMX: tiles of 16 rows by 64 bytes, two row tiles by two panels at a time. The other
// kernels are those of AVX-512.
#include <cstdint>
#include <cstring>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/intrinsics.h"

namespace hearth::kernels {
namespace {

constexpr int kSide = 2 * kTileRows;  // rows and columns of a group
constexpr int64_t kChunk = 18;        // blocks of two panels that stay in the first-level cache with two of a

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
  const uint16_t *a0, *a1, *b0, *b1;
  float* c;
  int64_t c_stride;
  bool starts;
};

// a1 and b1 count only where kRowTiles and kPanels are 2.
template <int kRowTiles, int kPanels>
inline void multiply_group(const Group& g, int64_t blocks) {
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
  for (int64_t k = 0; k < blocks * kTileElements; k += kTileElements) {
    _tile_loadd(6, g.b0 + k, 64);
    _tile_loadd(4, g.a0 + k, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kPanels == 2) {
      _tile_loadd(7, g.b1 + k, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRowTiles == 2) {
      _tile_loadd(5, g.a1 + k, 64);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kPanels == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, g.c, row);
  if constexpr (kPanels == 2) _tile_stored(1, g.c + kTileOutputs, row);
  if constexpr (kRowTiles == 2) _tile_stored(2, below, row);
  if constexpr (kRowTiles == 2 && kPanels == 2) _tile_stored(3, below + kTileOutputs, row);
}

void multiply_tiles(const Group& g, int64_t row_tiles, int64_t panels, int64_t blocks) {
  if (row_tiles == 2 && panels == 2) return multiply_group<2, 2>(g, blocks);
  if (row_tiles == 2) return multiply_group<2, 1>(g, blocks);
  if (panels == 2) return multiply_group<1, 2>(g, blocks);
  multiply_group<1, 1>(g, blocks);
}

// A group at the border of c, through a copy.
void multiply_border(Group g, int64_t rows, int64_t columns, int64_t blocks) {
  alignas(64) float sums[kSide * kSide] = {};
  float* c = g.c;
  const size_t bytes = static_cast<size_t>(columns) * sizeof(float);
  if (!g.starts)
    for (int64_t r = 0; r < rows; ++r) std::memcpy(sums + r * kSide, c + r * g.c_stride, bytes);
  const int64_t c_stride = g.c_stride;
  g.c = sums;
  g.c_stride = kSide;
  multiply_tiles(g, (rows + kTileRows - 1) / kTileRows, (columns + kTileOutputs - 1) / kTileOutputs, blocks);
  for (int64_t r = 0; r < rows; ++r) std::memcpy(c + r * c_stride, sums + r * kSide, bytes);
}

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void multiply_bf16(const Bf16Product& p) {
  const Tiles tiles;
  const int64_t chunks = (p.blocks + kChunk - 1) / kChunk;
  for (int64_t column = 0; column < p.columns; column += kSide) {
    const int64_t columns = least(kSide, p.columns - column);
    const uint16_t* b = p.b + column / kTileOutputs * p.b_panel;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t begin = p.blocks * chunk / chunks, blocks = p.blocks * (chunk + 1) / chunks - begin;
      const int64_t at = begin * kTileElements;
      for (int64_t row = 0; row < p.rows; row += kSide) {
        const int64_t rows = least(kSide, p.rows - row);
        const uint16_t* a = p.a + row / kTileRows * p.a_tile;
        const Group g = {a + at,     a + p.a_tile + at,     b + at, b + p.b_panel + at, p.c + row * p.c_stride + column,
                         p.c_stride, p.starts && chunk == 0};
        if (rows % kTileRows == 0 && columns % kTileOutputs == 0) {
          multiply_tiles(g, rows / kTileRows, columns / kTileOutputs, blocks);
        } else {
          multiply_border(g, rows, columns, blocks);
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
