// Normalisation of the groups of a row.
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

struct Sizes {
  int64_t rows, n, groups;  // of the weight: 1 where all groups of a row share it
  int64_t in_row;           // groups of a row of x

  int64_t of(int64_t x_rows) const { return x_rows * in_row; }

  kernels::Norm norm(const Tensor& weight, const Tensor& bias, float eps) const {
    return {weight.data(), bias.defined() ? bias.data() : nullptr, eps, n, groups};
  }
};

Sizes checked(const char* op, const Tensor& x, const Tensor& weight) {
  require(x.defined() && x.shape().rank() >= 1 && x.dim(-1) > 0, op, "x is {}, must have a last dimension", x.shape());
  const int rank = weight.shape().rank();
  require(weight.defined() && (rank == 1 || rank == 2) && weight.size() > 0, op,
          "weight is {}, must be [n] or [groups, n]", weight.shape());
  const int64_t n = weight.dim(-1), width = x.dim(-1);
  require(rank == 1 ? width % n == 0 : width == weight.dim(0) * n, op,
          "weight is {}, must be [n] where n divides the last dimension of x {}, or [groups, n] where they make it",
          weight.shape(), x.shape());
  return {static_cast<int64_t>(x.size()) / n, n, rank == 1 ? 1 : weight.dim(0), width / n};
}

float* data(Tensor* x) { return x ? x->data() : nullptr; }

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps) {
  const Sizes sizes = checked("rms_norm", x, weight);
  Tensor y(x.shape());
  Tape* tape = Tape::wanted_by(x, weight);
  Tensor inverse_rms = tape ? Tensor({sizes.rows}) : Tensor();
  kernels::rms_norm(x.data(), sizes.norm(weight, {}, eps), sizes.rows, y.data(), inverse_rms.data());
  if (tape) {
    const Kept kept = tape->keep(x);
    tape->record(
        y,
        [kept, weight, eps, inverse_rms, sizes](const Tensor& dy, Tape& t) {
          kernels::rms_norm_backward({kept.value().data(), dy.data(), inverse_rms.data(), t.sum(kept.place()),
                                      data(t.grad(weight)), nullptr, sizes.rows},
                                     sizes.norm(weight, {}, eps));
        },
        [kept, weight, eps, sizes](int64_t begin, int64_t end, float* out) {
          const KeptRows in(kept, begin, end);
          kernels::rms_norm(in.data(), sizes.norm(weight, {}, eps), sizes.of(end - begin), out, nullptr);
        });
  }
  return y;
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  const Sizes sizes = checked("layer_norm", x, weight);
  require(!bias.defined() || bias.shape() == weight.shape(), "layer_norm", "bias is {}, must be the weight's {}",
          bias.shape(), weight.shape());
  Tensor y(x.shape());
  Tape* tape = Tape::wanted_by(x, weight, bias);
  Tensor statistics = tape ? Tensor({sizes.rows, 2}) : Tensor();
  kernels::layer_norm(x.data(), sizes.norm(weight, bias, eps), sizes.rows, y.data(), statistics.data());
  if (tape) {
    const Kept kept = tape->keep(x);
    tape->record(
        y,
        [kept, weight, bias, eps, statistics, sizes](const Tensor& dy, Tape& t) {
          kernels::layer_norm_backward({kept.value().data(), dy.data(), statistics.data(), t.sum(kept.place()),
                                        data(t.grad(weight)), data(t.grad(bias)), sizes.rows},
                                       sizes.norm(weight, bias, eps));
        },
        [kept, weight, bias, eps, sizes](int64_t begin, int64_t end, float* out) {
          const KeptRows in(kept, begin, end);
          kernels::layer_norm(in.data(), sizes.norm(weight, bias, eps), sizes.of(end - begin), out, nullptr);
        });
  }
  return y;
}

}  // namespace hearth::ops
