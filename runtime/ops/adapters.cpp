// What adapters do besides their low-rank product: dropout before it, and lengths of rows behind it.
#include <algorithm>
#include <cmath>

#include "runtime/base/parallel.h"
#include "runtime/kernels/adapter_rows.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

Tensor dropout(const Tensor& x, float p, uint64_t seed) {
  require(x.defined() && p >= 0 && p < 1, "dropout", "p is {}, must be at least 0 and below 1", p);
  const auto n = static_cast<int64_t>(x.size());
  Tensor y(x.shape());
  kernels::dropout(x.data(), p, seed, n, y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x = x.on_tape(), p, seed, n](const Tensor& dy, Tape& t) {
      kernels::dropout_backward(dy.data(), p, seed, n, t.grad(x)->data());
    });
  }
  return y;
}

Tensor add_bias(const Tensor& x, const Tensor& bias) {
  require(x.defined() && x.shape().rank() == 2 && bias.shape() == Shape{x.dim(-1)}, "add_bias",
          "x is {}, bias {}, must be [tokens, n] and [n]", x.shape(), bias.shape());
  Tensor y(x.shape());
  std::copy_n(x.data(), x.size(), y.data());
  kernels::add_to_rows(bias.data(), x.rows(), x.dim(-1), y.data());
  if (Tape* tape = Tape::wanted_by(x, bias)) {
    tape->record(y, [x = x.on_tape(), bias = bias.on_tape()](const Tensor& dy, Tape& t) {
      if (Tensor* dx = t.grad(x)) kernels::add_scaled(dy.data(), 1.0f, static_cast<int64_t>(dy.size()), dx->data());
      if (Tensor* db = t.grad(bias)) kernels::add_columns(dy.data(), dy.rows(), dy.dim(-1), db->data());
    });
  }
  return y;
}

namespace {

// factor / divisor
Tensor quotients(const ColumnScale& scale) {
  Tensor y(scale.factor.shape());
  for (size_t i = 0; i < y.size(); ++i) y.data()[i] = scale.factor.data()[i] / scale.divisor.data()[i];
  return y;
}

void add_gradient(const Tensor& x, const Tensor& dy, const ColumnScale& scale, Tape& tape) {
  const int64_t rows = scale.end - scale.begin, n = x.dim(-1);
  Tensor* dx = tape.grad(x);
  Tensor* dfactor = tape.grad(scale.factor);
  Tensor dquotient = dfactor ? Tensor::zeros({n}) : Tensor();
  kernels::scale_columns_backward({.x = x.row(scale.begin),
                                   .dy = dy.row(scale.begin),
                                   .dx = dx ? dx->row(scale.begin) : nullptr,
                                   .dfactors = dfactor ? dquotient.data() : nullptr},
                                  quotients(scale).data(), rows, n);
  if (!dfactor) return;
  for (int64_t i = 0; i < n; ++i) dfactor->data()[i] += dquotient.data()[i] / scale.divisor.data()[i];
}

}  // namespace

Tensor scale_columns(const Tensor& x, std::span<const ColumnScale> scales) {
  constexpr const char* kOp = "scale_columns";
  require(x.defined() && x.shape().rank() == 2, kOp, "x is {}, must be [tokens, n]", x.shape());
  const int64_t n = x.dim(-1);
  Tensor y(x.shape());
  std::copy_n(x.data(), x.size(), y.data());
  bool wanted = x.needs_grad();
  for (const ColumnScale& scale : scales) {
    require(scale.begin >= 0 && scale.begin <= scale.end && scale.end <= x.rows(), kOp, "rows {} to {} of x {}",
            scale.begin, scale.end, x.shape());
    require(scale.factor.shape() == Shape{n} && scale.divisor.shape() == Shape{n}, kOp,
            "factor is {}, divisor {}, must be [{}]", scale.factor.shape(), scale.divisor.shape(), n);
    kernels::scale_columns(x.row(scale.begin), quotients(scale).data(), scale.end - scale.begin, n, y.row(scale.begin));
    wanted = wanted || scale.factor.needs_grad();
  }
  Tape* tape = wanted ? Tape::active() : nullptr;
  if (!tape) return y;
  tape->record(y, [x, scales = std::vector<ColumnScale>(scales.begin(), scales.end())](const Tensor& dy, Tape& t) {
    if (Tensor* dx = t.grad(x)) {
      int64_t begin = 0;  // rows between the runs
      for (size_t i = 0; i <= scales.size(); ++i) {
        const int64_t end = i < scales.size() ? scales[i].begin : x.rows();
        kernels::add_scaled(dy.row(begin), 1.0f, (end - begin) * x.dim(-1), dx->row(begin));
        if (i < scales.size()) begin = scales[i].end;
      }
    }
    for (const ColumnScale& scale : scales) add_gradient(x, dy, scale, t);
  });
  return y;
}

Tensor row_norms(const Weight& weight, const Tensor& a, const Tensor& b, float scale) {
  const int64_t rank = a.dim(0), in = weight.in();
  require(a.shape() == Shape{rank, in} && b.shape() == Shape{weight.out(), rank}, "row_norms",
          "a is {}, b {}, for a weight [{}, {}]", a.shape(), b.shape(), weight.out(), in);
  Tensor norms({weight.out()});
  parallel_for(weight.out(), 8, [&](int64_t begin, int64_t end) {
    Tensor row({in});
    for (int64_t o = begin; o < end; ++o) {
      weight.dequantize_rows(o, o + 1, row.data());
      for (int64_t r = 0; r < rank; ++r) {
        const float factor = scale * b.row(o)[r];
        for (int64_t i = 0; i < in; ++i) row.data()[i] += factor * a.row(r)[i];
      }
      double sum = 0;
      for (int64_t i = 0; i < in; ++i) sum += static_cast<double>(row.data()[i]) * row.data()[i];
      norms.data()[o] = static_cast<float>(std::sqrt(sum));
    }
  });
  return norms;
}

}  // namespace hearth::ops
