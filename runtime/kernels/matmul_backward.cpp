// dx += dy W. Outputs pass in chunks: dy of a chunk is laid out for all threads, then each adds its rectangle of dx,
// for which tiles of the weight are dequantised [outputs][inputs] as they lie, or tiles of the bf16 form rearranged.
// No two threads write the same element, and every element adds its outputs in order: the result does not depend on
// the cut.
#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kChunk = 2048;       // outputs whose dy is laid out at a time; a multiple of the tiles' outputs
constexpr int64_t kInputs = 256;       // of a tile; a multiple of every format's block
constexpr int64_t kOutputs = 128;      // of an f32 tile of 128 KB
constexpr int64_t kBf16Outputs = 512;  // of a bf16 tile of 64 KB
constexpr int64_t kBf16Inputs = 64;
constexpr int64_t kSplitRows = 128;  // a thread with fewer rows would spend its time on tiles
constexpr int64_t kSerialWork = 16 << 10;

// Of the calling thread: dy of a chunk. Of each: a tile.
thread_local Scratch column_scratch, pair_scratch, tile_scratch;

struct Rectangle {
  int64_t row, rows, input, inputs;  // row is a multiple of 16
};

struct Call {
  Isa isa;
  const WeightView& w;
  int64_t output, outputs;  // the chunk
  float* columns;           // [row tiles][outputs][16], or null
  uint16_t* tiles;          // [row tiles][blocks][16][32], or null
  GradientSum dx;

  bool starts() const { return !dx.adds && output == 0; }
};

void add_exact(const Call& call, const Rectangle& area) {
  const WeightView& w = call.w;
  float* tile = tile_scratch.of<float>(kOutputs * kInputs);
  const size_t row_size = row_bytes(w.format, w.in);
  for (int64_t i = area.input; i < area.input + area.inputs; i += kInputs) {
    const int64_t inputs = std::min(kInputs, area.input + area.inputs - i);
    const std::byte* column = w.rows + row_bytes(w.format, i);
    for (int64_t o = 0; o < call.outputs; o += kOutputs) {
      const int64_t outputs = std::min(kOutputs, call.outputs - o);
      for (int64_t k = 0; k < outputs; ++k)
        dequantize(w.format, column + (call.output + o + k) * row_size, inputs, tile + k * kInputs);
      float_kernels(call.isa).multiply_f32({call.columns + (area.row * call.outputs + o * kTileRows), kTileRows,
                                            call.outputs * kTileRows, tile, kInputs, kTileOutputs,
                                            call.dx.values + area.row * w.in + i, w.in, area.rows, inputs, outputs,
                                            call.starts() && o == 0});
    }
  }
}

// Tiles of the bf16 form, whose depth is inputs, become tiles whose depth is outputs: of 32 outputs (two panels; past
// the last zero) and 32 inputs, two of them, `panel` elements apart.
void rearrange(const FloatKernels& kernels, const PackedWeight& w, int64_t output, int64_t block, uint16_t* out,
               int64_t panel) {
  constexpr int64_t kHalf = kTileElements / 2;
  for (int half = 0; half < 2; ++half) {
    const int64_t p = output / kPanelOutputs + half;
    if (p >= w.panels()) {
      std::fill_n(out + kHalf, kHalf, uint16_t{0});
      std::fill_n(out + panel + kHalf, kHalf, uint16_t{0});
      return;
    }
    uint16_t rows[kTileElements];
    kernels.transpose_tile(reinterpret_cast<const uint16_t*>(w.panel(p)) + block * kTileElements, rows);
    kernels.pair_rows(rows, out + half * kHalf, out + panel + half * kHalf);
  }
}

void add_bf16(const Call& call, const Rectangle& area) {
  const FloatKernels& kernels = float_kernels(call.isa);
  const WeightView& w = call.w;
  constexpr int64_t kBlocks = kBf16Outputs / kTileDepth, kPanel = kBlocks * kTileElements;
  const int64_t all_blocks = blocks_of(call.outputs);
  auto* tile = tile_scratch.of<uint16_t>(kBf16Inputs / kTileOutputs * kPanel);
  for (int64_t i = area.input; i < area.input + area.inputs; i += kBf16Inputs) {
    const int64_t inputs = std::min(kBf16Inputs, area.input + area.inputs - i);
    for (int64_t b = 0; b < all_blocks; b += kBlocks) {
      const int64_t blocks = std::min(kBlocks, all_blocks - b);
      for (int64_t k = 0; k < inputs; k += kTileDepth) {
        for (int64_t o = 0; o < blocks; ++o) {
          rearrange(kernels, *w.packed, call.output + (b + o) * kTileDepth, (i + k) / kTileDepth,
                    tile + k / kTileOutputs * kPanel + o * kTileElements, kPanel);
        }
      }
      kernels.multiply_bf16({call.tiles + (area.row / kTileRows * all_blocks + b) * kTileElements,
                             all_blocks * kTileElements, tile, kPanel, call.dx.values + area.row * w.in + i, w.in,
                             area.rows, inputs, blocks, call.starts() && b == 0});
    }
  }
}

// Thread t's rectangle: of inputs where there are enough for all, so that a tile is made once; else of rows.
Rectangle share(const WeightView& w, int64_t rows, int64_t t, int64_t threads) {
  const int64_t unit = w.is_bf16() ? kTileDepth : std::max<int64_t>(kTileOutputs, info(w.format).block_size);
  const int64_t units = (w.in + unit - 1) / unit;
  if (units >= 4 * threads || rows < kSplitRows * threads) {
    const int64_t begin = units * t / threads * unit, end = std::min(units * (t + 1) / threads * unit, w.in);
    return {0, rows, begin, end - begin};
  }
  const int64_t tiles = tiles_of(rows), begin = tiles * t / threads * kTileRows;
  return {begin, std::min(tiles * (t + 1) / threads * kTileRows, rows) - begin, 0, w.in};
}

}  // namespace

void matmul_backward(const float* dy, int64_t rows, const WeightView& w, GradientSum dx, Isa isa) {
  if (rows == 0) return;
  const int64_t tiles = tiles_of(rows);
  for (int64_t o = 0; o < w.out; o += kChunk) {
    Call call = {isa, w, o, std::min(kChunk, w.out - o), nullptr, nullptr, dx};
    if (w.is_bf16()) {
      call.tiles = pair_scratch.of<uint16_t>(tiles * blocks_of(call.outputs) * kTileElements);
    } else {
      call.columns = column_scratch.of<float>(tiles * kTileRows * call.outputs);
    }
    const int wanted = rows * call.outputs * w.in < kSerialWork ? 1 : num_threads();
    on_threads(wanted, [&](int64_t t, int64_t threads) {
      const RowsView view = {dy + o, w.out, rows, call.outputs};
      const int64_t begin = tiles * t / threads, end = tiles * (t + 1) / threads;
      if (call.columns) lay_out_f32(view, begin, end, call.columns, isa);
      if (call.tiles) lay_out_bf16(view, begin, end, call.tiles, isa);
#pragma omp barrier  // none has thrown by here: only tiles allocate
      const Rectangle area = share(w, rows, t, threads);
      if (area.rows <= 0 || area.inputs <= 0) return;
      if (call.tiles) {
        add_bf16(call, area);
      } else {
        add_exact(call, area);
      }
    });
  }
}

}  // namespace hearth::kernels
