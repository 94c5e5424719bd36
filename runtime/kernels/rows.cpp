#include "runtime/kernels/rows.h"

#include <algorithm>
#include <vector>

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
int64_t column_grain(int64_t rows) { return std::max<int64_t>(16, kGrain / std::max<int64_t>(rows, 1)); }

// Rows whose terms are a thread's share.
int64_t terms_grain(const WeightedSums& s) {
  const int64_t terms = s.rows > 0 ? s.begins[s.rows] / s.rows + 1 : 1;  // of a row, about
  return row_grain(s.n * terms);
}

}  // namespace

const RowKernels& row_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_row_kernels();
    case Isa::kAvx2:
      return avx2_row_kernels();
    case Isa::kAvx512:
    case Isa::kAmx:
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
  parallel_for(n, column_grain(rows), [=](int64_t i, int64_t end) {
    for (int64_t r = 0; r < rows; ++r) table().add_scaled(x + r * n + i, 1.f, end - i, y + i);
  });
}

void round_bf16(const float* x, int64_t n, uint16_t* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().round_bf16(x + i, end - i, y + i); });
}

void widen_bf16(const uint16_t* x, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().widen_bf16(x + i, end - i, y + i); });
}

double sum(const float* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}

void activate(const float* x, Activation activation, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().activate(x + i, activation, end - i, y + i); });
}

void activate_backward(const float* x, const float* dy, Activation activation, int64_t n, float* dx) {
  parallel_for(n, kGrain,
               [=](int64_t i, int64_t end) { table().activate_backward(x + i, dy + i, activation, end - i, dx + i); });
}

void gated(const float* gate, const float* up, Activation activation, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().gated(gate + i, up + i, activation, end - i, y + i); });
}

void gated_backward(const GatedGradient& gradient, Activation activation, int64_t n) {
  parallel_for(n, kGrain,
               [&](int64_t begin, int64_t end) { table().gated_backward(gradient, activation, begin, end); });
}

void rms_norm(const float* x, const Norm& norm, int64_t rows, float* y, float* inverse_rms) {
  parallel_for(rows, row_grain(norm.n),
               [&](int64_t begin, int64_t end) { table().rms_norm(x, norm, begin, end, y, inverse_rms); });
}

void rms_norm_backward(const NormGradient& g, const Norm& norm) {
  const int64_t n = norm.n;
  if (g.dx) {
    parallel_for(g.rows, row_grain(n),
                 [&](int64_t begin, int64_t end) { table().rms_norm_backward(g, norm, begin, end); });
  }
  if (!g.dweight) return;
  parallel_for(n, column_grain(g.rows), [&](int64_t i, int64_t end) {
    for (int64_t r = 0; r < g.rows; ++r) {
      table().add_product(g.x + r * n + i, g.dy + r * n + i, g.statistics[r], end - i,
                          g.dweight + r % norm.groups * n + i);
    }
  });
}

void layer_norm(const float* x, const Norm& norm, int64_t rows, float* y, float* statistics) {
  parallel_for(rows, row_grain(norm.n),
               [&](int64_t begin, int64_t end) { table().layer_norm(x, norm, begin, end, y, statistics); });
}

void layer_norm_backward(const NormGradient& g, const Norm& norm) {
  if (g.dx) {
    parallel_for(g.rows, row_grain(norm.n),
                 [&](int64_t begin, int64_t end) { table().layer_norm_backward(g, norm, begin, end); });
  }
  if (g.dweight) {
    parallel_for(norm.n, column_grain(g.rows),
                 [&](int64_t begin, int64_t end) { table().layer_norm_weight(g, norm, begin, end); });
  }
  if (g.dbias) add_columns(g.dy, g.rows / norm.groups, norm.groups * norm.n, g.dbias);
}

void rotate(const float* x, const Rotation& rotation, int64_t rows, float* y) {
  parallel_for(rows, row_grain(rotation.heads * rotation.head_dim),
               [=](int64_t begin, int64_t end) { table().rotate(x, rotation, begin, end, y); });
}

void rotate_backward(const float* dy, const Rotation& rotation, int64_t rows, GradientSum dx) {
  parallel_for(rows, row_grain(rotation.heads * rotation.head_dim),
               [=](int64_t begin, int64_t end) { table().rotate_backward(dy, rotation, begin, end, dx); });
}

void copy_grid(const float* x, Grid from, const GridSize& size, float* y, Grid to) {
  parallel_for(size.rows, row_grain(size.groups * size.width), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      for (int64_t g = 0; g < size.groups; ++g)
        std::copy_n(x + r * from.row + g * from.group, size.width, y + r * to.row + g * to.group);
    }
  });
}

void add_grid(const float* x, Grid from, const GridSize& size, float* y, Grid to) {
  parallel_for(size.rows, row_grain(size.groups * size.width), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      for (int64_t g = 0; g < size.groups; ++g)
        table().add_scaled(x + r * from.row + g * from.group, 1.f, size.width, y + r * to.row + g * to.group);
    }
  });
}

void softmax(const float* x, int64_t rows, int64_t n, float* y) {
  parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) table().softmax(x + r * n, n, y + r * n);
  });
}

void softmax_backward(const float* y, const float* dy, int64_t rows, int64_t n, float* dx) {
  parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) table().softmax_backward(y + r * n, dy + r * n, n, dx + r * n);
  });
}

void shares(const float* x, int64_t rows, int64_t n, float* y) {
  parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) table().shares(x + r * n, n, y + r * n);
  });
}

void shares_backward(const float* x, const float* dy, int64_t rows, int64_t n, float* dx) {
  parallel_for(rows, row_grain(n), [=](int64_t r, int64_t end) {
    for (; r < end; ++r) table().shares_backward(x + r * n, dy + r * n, n, dx + r * n);
  });
}

void sigmoid(const float* x, int64_t n, float* y) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().sigmoid(x + i, end - i, y + i); });
}

void sigmoid_backward(const float* y, const float* dy, int64_t n, float* dx) {
  parallel_for(n, kGrain, [=](int64_t i, int64_t end) { table().sigmoid_backward(y + i, dy + i, end - i, dx + i); });
}

void adamw(const AdamWStep& step, int64_t n) {
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) { table().adamw(step, begin, end); });
}

double sum_of_squares(const float* x, int64_t n) {
  constexpr int64_t kRange = 4096;  // floats that are added in f32
  std::vector<double> sums((n + kRange - 1) / kRange);
  parallel_for(static_cast<int64_t>(sums.size()), kGrain / kRange, [&](int64_t i, int64_t end) {
    for (; i < end; ++i) {
      const float* begin = x + i * kRange;
      sums[i] = table().dot(begin, begin, std::min(kRange, n - i * kRange));
    }
  });
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

void weighted_sums(const WeightedSums& s, float* y) {
  parallel_for(s.rows, terms_grain(s), [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      std::fill_n(y + r * s.n, s.n, 0.f);
      for (int64_t i = s.begins[r]; i < s.begins[r + 1]; ++i)
        table().add_scaled(s.terms[i].x, s.terms[i].weight, s.n, y + r * s.n);
    }
  });
}

void weighted_sums_backward(const WeightedSums& s, const float* dy) {
  parallel_for(s.rows, terms_grain(s), [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      for (int64_t i = s.begins[r]; i < s.begins[r + 1]; ++i) {
        const WeightedRow& term = s.terms[i];
        if (term.dx) table().add_scaled(dy + r * s.n, term.weight, s.n, term.dx);
        if (term.dweight) *term.dweight += table().dot(term.x, dy + r * s.n, s.n);
      }
    }
  });
}

float log_sum_exp(const float* x, int64_t n) { return table().log_sum_exp(x, n); }

int64_t argmax(const float* x, int64_t n) { return table().argmax(x, n); }

void scaled_softmax(float* x, float log_sum_exp, float factor, int64_t n) {
  table().scaled_softmax(x, log_sum_exp, factor, n);
}

ExpSums exp_sums(float* x, float shift, int64_t n) { return table().exp_sums(x, shift, n); }

void softcap(float* x, float cap, int64_t n) { table().softcap(x, cap, n); }

void softcap_slope(const float* capped, float cap, int64_t n, float* dy) { table().softcap_slope(capped, cap, n, dy); }

}  // namespace hearth::kernels
