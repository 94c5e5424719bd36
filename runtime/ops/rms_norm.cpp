#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps) {
  require(x.defined() && x.shape().rank() >= 1 && x.dim(-1) > 0, "rms_norm", "x is {}, must have a last dimension",
          x.shape());
  require(weight.defined() && weight.shape().rank() == 1 && weight.dim(0) > 0 && x.dim(-1) % weight.dim(0) == 0,
          "rms_norm", "weight is {}, must be [n] where n divides the last dimension of x {}", weight.shape(),
          x.shape());
  const int64_t n = weight.dim(0), rows = static_cast<int64_t>(x.size()) / n;
  Tensor y(x.shape());
  Tape* tape = Tape::wanted_by(x, weight);
  Tensor inverse_rms = tape ? Tensor({rows}) : Tensor();
  kernels::rms_norm(x.data(), weight.data(), eps, rows, n, y.data(), tape ? inverse_rms.data() : nullptr);
  if (tape) {
    tape->record(y, [x, weight, inverse_rms, n, rows](const Tensor& dy, Tape& t) {
      Tensor *dx = t.grad(x), *dweight = t.grad(weight);
      kernels::rms_norm_backward(x.data(), weight.data(), inverse_rms.data(), dy.data(), rows, n,
                                 dx ? dx->data() : nullptr, dweight ? dweight->data() : nullptr);
    });
  }
  return y;
}

}  // namespace hearth::ops
