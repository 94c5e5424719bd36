// dw += dy^T x: rows pass in chunks. In f32 both operands are multiplied where they lie; in bf16 tiles of both are made
// once a chunk, and each thread adds its rows of dw.
#include "runtime/kernels/dense.h"

#include <algorithm>
#include <memory>

#include "runtime/base/parallel.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kChunkRows = 512;  // a multiple of a tile's depth
constexpr int64_t kInputs = 96;      // columns of dw at a time: their part of x stays in cache
constexpr int64_t kSerialWork = 16 << 10;

thread_local Scratch a_scratch, b_scratch;  // of the calling thread

WeightView view(const DenseMatrix& w) {
  return {Format::kF32, w.out, w.in, reinterpret_cast<const std::byte*>(w.values), nullptr};
}

// fn(view) with what the precision multiplies with.
template <class Fn>
void with_view(const DenseMatrix& w, DensePrecision precision, Isa isa, Fn fn) {
  WeightView v = view(w);
  std::unique_ptr<PackedWeight> packed;
  if (precision == DensePrecision::kBFloat16) {
    packed = pack_bf16(Format::kF32, w.out, w.in, v.rows, isa);
    v.packed = packed.get();
  }
  fn(v);
}

// Rows of dw for thread t: whole tiles.
struct Share {
  int64_t begin, count;
};
Share share(int64_t out, int64_t t, int64_t threads) {
  const int64_t tiles = tiles_of(out), begin = tiles * t / threads * kTileRows;
  return {begin, std::min(tiles * (t + 1) / threads * kTileRows, out) - begin};
}

void add_f32(const DenseGradient& g, const Share& part, float* dw, Isa isa) {
  for (int64_t row = 0; row < g.rows; row += kChunkRows) {
    const int64_t rows = std::min(kChunkRows, g.rows - row);
    for (int64_t i = 0; i < g.in; i += kInputs) {
      float_kernels(isa).multiply_f32({g.dy + row * g.out + part.begin, g.out, kTileRows, g.x + row * g.in + i, g.in,
                                       kTileOutputs, dw + part.begin * g.in + i, g.in, part.count,
                                       std::min(kInputs, g.in - i), rows});
    }
  }
}

// Columns [16 p, 16 p + 16) of m for p in [begin, end), 32 rows a block of the depth -> out [p][blocks] tiles of b, or
// of a when `turned`.
void lay_out_columns(const RowsView& m, int64_t begin, int64_t end, bool turned, uint16_t* out, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  const int64_t blocks = blocks_of(m.rows), panels = tiles_of(m.columns);
  uint16_t rounded[kTileElements], paired[2][kTileElements];
  for (int64_t p = begin - begin % 2; p < end; p += 2) {  // a tile of rows holds two panels' columns
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t half = 0; half < 2; ++half) {
        const int64_t row = b * kTileDepth + half * kTileRows, at = half * kTileElements / 2;
        kernels.round_tile(m.values + row * m.stride + p * kTileOutputs, m.stride,
                           std::clamp<int64_t>(m.rows - row, 0, kTileRows),
                           std::min<int64_t>(kTileDepth, m.columns - p * kTileOutputs), rounded);
        kernels.pair_rows(rounded, paired[0] + at, paired[1] + at);
      }
      for (int64_t i = 0; i < 2; ++i) {
        if (p + i < begin || p + i >= std::min(end, panels)) continue;
        uint16_t* tile = out + ((p + i) * blocks + b) * kTileElements;
        if (turned) {
          kernels.transpose_tile(paired[i], tile);
        } else {
          std::copy_n(paired[i], kTileElements, tile);
        }
      }
    }
  }
}

void add_bf16(const DenseGradient& g, float* dw, Isa isa) {
  const int64_t out_tiles = tiles_of(g.out), in_panels = tiles_of(g.in);
  for (int64_t row = 0; row < g.rows; row += kChunkRows) {
    const int64_t rows = std::min(kChunkRows, g.rows - row), blocks = blocks_of(rows), panel = blocks * kTileElements;
    uint16_t* a = a_scratch.of<uint16_t>(out_tiles * panel);
    uint16_t* b = b_scratch.of<uint16_t>(in_panels * panel);
    const int wanted = g.rows * g.out * g.in < kSerialWork ? 1 : num_threads();
    on_threads(wanted, [&](int64_t t, int64_t threads) {
      lay_out_columns({g.dy + row * g.out, g.out, rows, g.out}, out_tiles * t / threads, out_tiles * (t + 1) / threads,
                      true, a, isa);
      lay_out_columns({g.x + row * g.in, g.in, rows, g.in}, in_panels * t / threads, in_panels * (t + 1) / threads,
                      false, b, isa);
#pragma omp barrier  // nothing above throws
      const Share part = share(g.out, t, threads);
      if (part.count <= 0) return;
      float_kernels(isa).multiply_bf16({{a + part.begin / kTileRows * panel, panel, b, panel, blocks},
                                        dw + part.begin * g.in,
                                        g.in,
                                        part.count,
                                        g.in});
    });
  }
}

}  // namespace

void dense(const float* x, int64_t rows, const DenseMatrix& w, const float* bias, DensePrecision precision, float* y,
           Isa isa) {
  with_view(w, precision, isa, [&](const WeightView& v) {
    const Product product{v, bias, y};
    matmul(x, rows, {&product, 1}, isa);
  });
}

void dense_backward(const float* dy, int64_t rows, const DenseMatrix& w, DensePrecision precision, GradientSum dx,
                    Isa isa) {
  with_view(w, precision, isa, [&](const WeightView& v) { matmul_backward(dy, rows, v, dx, isa); });
}

void dense_weight_backward(const DenseGradient& g, DensePrecision precision, float* dw, Isa isa) {
  if (precision == DensePrecision::kBFloat16) return add_bf16(g, dw, isa);
  const int wanted = g.rows * g.out * g.in < kSerialWork ? 1 : num_threads();
  on_threads(wanted, [&](int64_t t, int64_t threads) {
    const Share part = share(g.out, t, threads);
    if (part.count > 0) add_f32(g, part, dw, isa);
  });
}

}  // namespace hearth::kernels
