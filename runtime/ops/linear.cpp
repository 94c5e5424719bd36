#include <array>

#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

void check(const Tensor& x, const Weight& weight, const Tensor& bias) {
  require(weight.defined(), "linear", "the weight is undefined");
  require(x.defined() && x.shape().rank() == 2 && x.dim(-1) == weight.in(), "linear",
          "x is {}, must be [tokens, {}] for a weight [{}, {}]", x.shape(), weight.in(), weight.out(), weight.in());
  require(!bias.defined() || bias.shape() == Shape{weight.out()}, "linear", "bias is {}, must be [{}]", bias.shape(),
          weight.out());
}

// The weight is frozen: the gradient goes to x, and to the bias when it wants one.
void record(const Tensor& x, const Weight& weight, const Tensor& bias, Tensor& y) {
  Tape* tape = Tape::wanted_by(x, bias);
  if (!tape) return;
  tape->record(y, [x, weight, bias](const Tensor& dy, Tape& t) {
    if (Tensor* dx = t.grad(x)) kernels::matmul_backward(dy.data(), dy.rows(), view(weight), dx->data());
    if (Tensor* db = t.grad(bias)) kernels::add_columns(dy.data(), dy.rows(), dy.dim(-1), db->data());
  });
}

}  // namespace

Tensor linear(const Tensor& x, const Weight& weight, const Tensor& bias) {
  check(x, weight, bias);
  Tensor y({x.rows(), weight.out()});
  const kernels::Product product{view(weight), bias.defined() ? bias.data() : nullptr, y.data()};
  kernels::matmul(x.data(), x.rows(), {&product, 1});
  record(x, weight, bias, y);
  return y;
}

std::vector<Tensor> linear(const Tensor& x, std::span<const Projection> projections) {
  constexpr size_t kMost = 8;
  require(projections.size() <= kMost, "linear", "{} projections of one x, at most {}", projections.size(), kMost);
  const Tensor no_bias;
  const auto bias_of = [&](const Projection& p) -> const Tensor& { return p.bias ? *p.bias : no_bias; };
  std::array<kernels::Product, kMost> products;
  std::vector<Tensor> y;
  y.reserve(projections.size());
  for (const Projection& p : projections) {
    require(p.weight != nullptr, "linear", "projection {} has no weight", y.size());
    const Tensor& bias = bias_of(p);
    check(x, *p.weight, bias);
    y.emplace_back(Shape{x.rows(), p.weight->out()});
    products[y.size() - 1] = {view(*p.weight), bias.defined() ? bias.data() : nullptr, y.back().data()};
  }
  kernels::matmul(x.data(), x.rows(), std::span(products).first(y.size()));
  for (size_t i = 0; i < y.size(); ++i) record(x, *projections[i].weight, bias_of(projections[i]), y[i]);
  return y;
}

}  // namespace hearth::ops
