#include "runtime/kernels/rows.h"

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/rows_kernels.h"

namespace hearth::kernels {
namespace {

// Floats of a thread's share, below which waking another costs more than it saves.
constexpr int64_t kGrain = 16 << 10;

const RowKernels& table() {
  static const RowKernels& chosen = row_kernels(isa());
  return chosen;
}

int64_t row_grain(int64_t n) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)); }

}  // namespace

const RowKernels& row_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_row_kernels();
    case Isa::kAvx2:
      return avx2_row_kernels();
    case Isa::kAvx512:
      return avx512_row_kernels();
  }
  throw internal_error("rows have no kernels for this instruction set");
}

void add(const float* a, const float* b, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().add(a + i, b + i, end - i, y + i); });
}

void multiply(const float* a, const float* b, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().multiply(a + i, b + i, end - i, y + i); });
}

void scale(const float* x, float factor, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().scale(x + i, factor, end - i, y + i); });
}

void add_scaled(const float* x, float factor, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().add_scaled(x + i, factor, end - i, y + i); });
}

void add_product(const float* a, const float* b, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().add_product(a + i, b + i, 1.f, end - i, y + i); });
}

void add_constant(float value, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += value;
}

void add_columns(const float* x, int64_t rows, int64_t n, float* y) {
  parallel_for(n, std::max<int64_t>(16, kGrain / std::max<int64_t>(rows, 1)), [=](int64_t i, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) table().add_scaled(x + r * n + i, 1.f, end - i, y + i);
  });
}

double sum(const float* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}

void silu_multiply(const float* gate, const float* up, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().silu_multiply(gate + i, up + i, end - i, y + i); });
}

void silu_multiply_backward(const float* gate, const float* up, const float* dy, int64_t n, float* dgate, float* dup) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) {
    table().silu_multiply_backward(gate + i, up + i, dy + i, end - i, dgate ? dgate + i : nullptr,
                                   dup ? dup + i : nullptr);
  });
}

void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* y, float* inverse_rms) {
  parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
    table().rms_norm(x + r * n, weight, eps, end - r, n, y + r * n, inverse_rms ? inverse_rms + r : nullptr);
  });
}

void rms_norm_backward(const float* x, const float* weight, const float* inverse_rms, const float* dy, int64_t rows,
                       int64_t n, float* dx, float* dweight) {
  if (dx) {
    parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
      table().rms_norm_backward(x + r * n, weight, inverse_rms + r, dy + r * n, end - r, n, dx + r * n);
    });
  }
  if (!dweight) return;
  parallel_for(n, std::max<int64_t>(16, kGrain / std::max<int64_t>(rows, 1)), [=](int64_t i, int64_t end) {
    for (int64_t r = 0; r < rows; ++r)
      table().add_product(x + r * n + i, dy + r * n + i, inverse_rms[r], end - i, dweight + i);
  });
}

void rotate(const float* x, const Rotation& rotation, int64_t rows, float* y) {
  parallel_for(rows, row_grain(rotation.heads * rotation.head_dim),
               [=](int64_t begin, int64_t end) { table().rotate(x, rotation, begin, end, y); });
}

void rotate_backward(const float* dy, const Rotation& rotation, int64_t rows, float* dx) {
  parallel_for(rows, row_grain(rotation.heads * rotation.head_dim),
               [=](int64_t begin, int64_t end) { table().rotate_backward(dy, rotation, begin, end, dx); });
}

float log_sum_exp(const float* x, int64_t n) { return table().log_sum_exp(x, n); }

int64_t argmax(const float* x, int64_t n) { return table().argmax(x, n); }

void scaled_softmax(float* x, float log_sum_exp, float factor, int64_t n) {
  table().scaled_softmax(x, log_sum_exp, factor, n);
}

}  // namespace hearth::kernels
