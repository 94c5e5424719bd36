#include "runtime/kernels/matmul_float.h"

#include <algorithm>

#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kInputs = 256;  // dequantised at a time, 16 KB a panel; a multiple of every format's block

thread_local Scratch panel_scratch, row_scratch;

// Formats without blocks are converted while they are transposed. False when `format` is another.
bool transpose_rows(const MatmulKernels& kernels, Format format, const std::byte* rows, int64_t stride, int64_t n,
                    float* panel) {
  const auto* halves = reinterpret_cast<const uint16_t*>(rows);
  if (format == Format::kF32) {
    kernels.transpose(reinterpret_cast<const float*>(rows), stride, n, panel);
  } else if (format == Format::kF16) {
    kernels.transpose_f16(halves, stride, n, panel);
  } else if (format == Format::kBF16) {
    kernels.transpose_bf16(halves, stride, n, panel);
  } else {
    return false;
  }
  return true;
}

// Inputs [begin, begin + n) of 16 outputs -> panel [n][16]; outputs past the last are zero.
void dequantize_panel(const MatmulKernels& kernels, const WeightView& w, int64_t output, int64_t begin, int64_t n,
                      float* panel) {
  const size_t row_size = row_bytes(w.format, w.in);
  const std::byte* rows = w.rows + output * row_size + row_bytes(w.format, begin);
  const int64_t outputs = std::min<int64_t>(kPanelOutputs, w.out - output);
  if (outputs == kPanelOutputs && transpose_rows(kernels, w.format, rows, w.in, n, panel)) return;
  float* values = row_scratch.of<float>(kPanelOutputs * kInputs);
  for (int64_t o = 0; o < kPanelOutputs; ++o) {
    if (o < outputs) {
      dequantize(w.format, rows + o * row_size, n, values + o * kInputs);
    } else {
      std::fill_n(values + o * kInputs, n, 0.f);
    }
  }
  kernels.transpose(values, kInputs, n, panel);
}

}  // namespace

void multiply_exact(const FloatRows& x, const WeightView& w, const FloatTask& task, float* y, Isa isa) {
  float* panels = panel_scratch.of<float>(kGroupPanels * kPanelOutputs * kInputs);
  constexpr int64_t kPanel = kPanelOutputs * kInputs;
  for (int64_t i = 0; i < x.in; i += kInputs) {
    const int64_t n = std::min(kInputs, x.in - i);
    for (int64_t o = 0; o < task.outputs; o += kPanelOutputs)
      dequantize_panel(matmul_kernels(isa), w, task.output + o, i, n, panels + o / kPanelOutputs * kPanel);
    FloatProduct p = {
        x.x + i, 1, 0, panels, kPanelOutputs, kPanel, y, w.out, task.rows, task.outputs, n, task.starts && i == 0};
    if (x.columns) {
      p.a = x.columns + task.row * x.in + i * kTileRows;
      p.a_stride = kTileRows;
      p.a_tile = x.in * kTileRows;
    }
    float_kernels(isa).multiply_f32(p);
  }
}

}  // namespace hearth::kernels
