// dx += dy W. The weight is dequantised tile by tile, [outputs][inputs] as it lies, and a tile is multiplied with all
// rows of a thread. A thread owns a rectangle of dx, so no two write the same element, and every element adds its
// outputs in order: the result does not depend on the cut.
#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kTileInputs = 256;       // a multiple of every format's block
constexpr int64_t kTileOutputs = 32;       // a tile of f32 values is 32 KB
constexpr int64_t kSplitRows = 128;        // a thread with fewer rows would spend its time dequantising
constexpr int64_t kStrip = kPanelOutputs;  // inputs that multiply_f32 computes at a time

thread_local Scratch tile_scratch, strip_scratch;

struct Rectangle {
  int64_t row = 0, rows = 0, input = 0, inputs = 0;
};

// The last strip when fewer than 16 inputs are left: through a copy, so that nothing beside them is touched.
void add_narrow_strip(const MatmulKernels& kernels, const float* dy, int64_t dy_stride, int64_t rows, const float* tile,
                      int64_t outputs, int64_t width, float* dx, int64_t dx_stride) {
  float* strip = strip_scratch.of<float>(rows * kStrip);
  std::fill_n(strip, rows * kStrip, 0.f);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(dx + r * dx_stride, width, strip + r * kStrip);
  kernels.multiply_f32(dy, dy_stride, rows, tile, kTileInputs, outputs, strip, kStrip);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(strip + r * kStrip, width, dx + r * dx_stride);
}

void run_rectangle(const MatmulKernels& kernels, const float* dy, const WeightView& w, const Rectangle& area,
                   float* dx) {
  float* tile = tile_scratch.of<float>(kTileOutputs * kTileInputs);
  std::fill_n(tile, kTileOutputs * kTileInputs, 0.f);  // a narrow strip reads past its inputs
  const size_t row_size = row_bytes(w.format, w.in);
  const float* dy_rows = dy + area.row * w.out;
  for (int64_t i = area.input; i < area.input + area.inputs; i += kTileInputs) {
    const int64_t inputs = std::min(kTileInputs, area.input + area.inputs - i);
    const std::byte* column = w.rows + row_bytes(w.format, i);
    for (int64_t o = 0; o < w.out; o += kTileOutputs) {
      const int64_t outputs = std::min(kTileOutputs, w.out - o);
      for (int64_t k = 0; k < outputs; ++k)
        dequantize(w.format, column + (o + k) * row_size, inputs, tile + k * kTileInputs);
      for (int64_t s = 0; s < inputs; s += kStrip) {
        float* target = dx + area.row * w.in + i + s;
        const int64_t width = std::min(kStrip, inputs - s);
        if (width == kStrip) {
          kernels.multiply_f32(dy_rows + o, w.out, area.rows, tile + s, kTileInputs, outputs, target, w.in);
        } else {
          add_narrow_strip(kernels, dy_rows + o, w.out, area.rows, tile + s, outputs, width, target, w.in);
        }
      }
    }
  }
}

}  // namespace

void matmul_backward(const MatmulKernels& kernels, const float* dy, int64_t rows, const WeightView& w, float* dx) {
  if (rows == 0) return;
  if (rows >= kSplitRows * num_threads()) {
    return parallel_for(rows, kSplitRows, [&](int64_t begin, int64_t end) {
      run_rectangle(kernels, dy, w, {begin, end - begin, 0, w.in}, dx);
    });
  }
  const int64_t unit = std::max<int64_t>(kStrip, info(w.format).block_size);
  parallel_for((w.in + unit - 1) / unit, 1, [&](int64_t begin, int64_t end) {
    const int64_t input = begin * unit;
    run_rectangle(kernels, dy, w, {0, rows, input, std::min(end * unit, w.in) - input}, dx);
  });
}

void matmul_backward(const float* dy, int64_t rows, const WeightView& w, float* dx) {
  matmul_backward(matmul_kernels(isa()), dy, rows, w, dx);
}

}  // namespace hearth::kernels
