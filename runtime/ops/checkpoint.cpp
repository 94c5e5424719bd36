// Gradient checkpointing (arXiv 1604.06174): memory for a second forward.
#include <utility>

#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

Tensor checkpoint(std::function<Tensor(const Tensor&)> compute, const Tensor& x) {
  Tape* tape = Tape::active();
  if (!tape) return compute(x);
  Tensor y = [&] {
    const Tape::Paused keep_nothing;
    return compute(x);
  }();
  // Recorded whether or not x needs a gradient: parameters inside do.
  tape->record(y, [x, compute = std::move(compute)](const Tensor& dy, Tape& t) {
    Parameter input{"checkpoint", x, {}};
    Tape inner(t.precision());
    {
      const Tape::Recording on(inner);
      const Tensor again = compute(Tape::leaf(input));
      inner.backward(again, dy);
    }
    if (Tensor* dx = t.grad(x))
      kernels::add_scaled(input.grad.data(), 1.0f, static_cast<int64_t>(dx->size()), dx->data());
  });
  return y;
}

}  // namespace hearth::ops
