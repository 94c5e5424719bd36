// dx += dy W. Outputs pass in chunks: dy of a chunk is laid out for all threads, then each adds its rectangle of dx,
// for which tiles of the weight are dequantised [outputs][inputs] as they lie.
// No two threads write the same element, and every element adds its outputs in order: the result does not depend on
// the cut.
#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/bf16_matmul.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kChunk = 2048;     // outputs whose dy is laid out at a time; a multiple of the tiles' outputs
constexpr int64_t kInputs = 256;     // of a tile; a multiple of every format's block
constexpr int64_t kOutputs = 128;    // of an f32 tile of 128 KB
constexpr int64_t kSplitRows = 128;  // a thread with fewer rows would spend its time on tiles
constexpr int64_t kSerialWork = 16 << 10;

// Of the calling thread: dy of a chunk. Of each: a tile.
thread_local Scratch column_scratch, tile_scratch;

struct Rectangle {
  int64_t row, rows, input, inputs;  // row is a multiple of 16
};

struct Call {
  Isa isa;
  const WeightView& w;
  int64_t output, outputs;  // the chunk
  float* columns;           // [row tiles][outputs][16]
  GradientSum dx;

  bool starts() const { return !dx.adds && output == 0; }
};

void add(const Call& call, const Rectangle& area) {
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

// Thread t's rectangle: of inputs where there are enough for all, so that a tile is made once; else of rows.
Rectangle share(const WeightView& w, int64_t rows, int64_t t, int64_t threads) {
  const int64_t unit = std::max<int64_t>(kTileOutputs, info(w.format).block_size);
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
  if (w.is_bf16()) {
    const ProductGradient one = {w, dy};
    return multiply_bf16_backward({nullptr, w.in}, rows, {&one, 1}, dx, isa);
  }
  const int64_t tiles = tiles_of(rows);
  for (int64_t o = 0; o < w.out; o += kChunk) {
    Call call = {isa, w, o, std::min(kChunk, w.out - o), nullptr, dx};
    call.columns = column_scratch.of<float>(tiles * kTileRows * call.outputs);
    const int wanted = rows * call.outputs * w.in < kSerialWork ? 1 : num_threads();
    on_threads(wanted, [&](int64_t t, int64_t threads) {
      const RowsView view = {dy + o, w.out, rows, call.outputs};
      const int64_t begin = tiles * t / threads, end = tiles * (t + 1) / threads;
      lay_out_f32(view, begin, end, call.columns, isa);
#pragma omp barrier  // none has thrown by here: only tiles allocate
      const Rectangle area = share(w, rows, t, threads);
      if (area.rows > 0 && area.inputs > 0) add(call, area);
    });
  }
}

void matmul_backward(const RowSource& x, int64_t rows, std::span<const ProductGradient> products, GradientSum dx,
                     Isa isa) {
  if (rows == 0 || products.empty()) return;
  for (const ProductGradient& p : products) HEARTH_CHECK(p.weight.is_bf16() && p.weight.in == products[0].weight.in);
  multiply_bf16_backward(x, rows, products, dx, isa);
}

}  // namespace hearth::kernels
