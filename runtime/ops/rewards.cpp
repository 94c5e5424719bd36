// The value head: a projection to one number a row, and the gradients of all its parts.
#include "runtime/kernels/dense.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

using kernels::DensePrecision;

Tensor project_to_one(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require(x.defined() && x.shape().rank() == 2, "project_to_one", "x is {}, must be [rows, n]", x.shape());
  const int64_t rows = x.rows(), n = x.dim(-1);
  require(weight.defined() && weight.shape() == Shape{1, n} && bias.defined() && bias.shape() == Shape{1},
          "project_to_one", "weight is {} and bias {}, must be [1, {}] and [1] for x {}", weight.shape(), bias.shape(),
          n, x.shape());
  Tensor y({rows});
  kernels::dense(x.data(), rows, {weight.data(), 1, n}, bias.data(), DensePrecision::kFloat32, y.data());
  if (Tape* tape = Tape::wanted_by(x, weight, bias)) {
    tape->record(y, [kept = tape->keep(x), weight, bias = bias.on_tape(), rows, n](const Tensor& dy, Tape& t) {
      if (kept.place().needs_grad())
        kernels::dense_backward(dy.data(), rows, {weight.data(), 1, n}, DensePrecision::kFloat32, t.sum(kept.place()));
      if (Tensor* dw = t.grad(weight)) {
        const Tensor in = kept.value();
        kernels::dense_weight_backward({dy.data(), in.data(), rows, 1, n}, DensePrecision::kFloat32, dw->data());
      }
      if (Tensor* db = t.grad(bias)) kernels::add_columns(dy.data(), rows, 1, db->data());
    });
  }
  return y;
}

Tensor rewards(const Tensor& hidden, ValueHead& head) {
  const Tensor x = head.hidden_multiplier == 1 ? hidden : scale(hidden, 1 / head.hidden_multiplier);
  return project_to_one(x, Tape::leaf(head.weight), Tape::leaf(head.bias));
}

}  // namespace hearth::ops
