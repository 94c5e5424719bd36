// The exact f32 regime of matmul: a task of rows and outputs, from x laid out once a call.
#pragma once

#include <cstdint>

#include "runtime/base/cpu.h"
#include "runtime/kernels/matmul.h"

namespace hearth::kernels {

inline constexpr int64_t kGroupPanels = 6;  // panels of a task, which the kernels take two or three at a time

// x of a call as the kernels read it.
struct FloatRows {
  const float* x = nullptr;        // [rows, in]
  const float* columns = nullptr;  // [row tiles][in][16]; not needed for a single row
  int64_t rows = 0, in = 0;
};

// Outputs [output, output + outputs) of rows [row, row + rows).
struct FloatTask {
  int64_t row, rows, output, outputs;  // row is a multiple of 16, output of 16 * kGroupPanels
  bool starts = false;
};

// y, whose row `row` and output `output` it points to, += x W^T, or = where it starts; rows of y are w.out apart.
void multiply_exact(const FloatRows& x, const WeightView& w, const FloatTask& task, float* y, Isa isa);

}  // namespace hearth::kernels
