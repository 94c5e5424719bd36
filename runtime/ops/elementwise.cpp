#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

int64_t count(const Tensor& x) { return static_cast<int64_t>(x.size()); }

void require_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  require(a.defined() && b.defined() && a.shape() == b.shape(), op, "shapes must be equal, are {} and {}", a.shape(),
          b.shape());
}

Tensor scaled_sum(const char* op, const Tensor& x, double factor) {
  require(x.defined() && x.size() > 0, op, "x is {}, must not be empty", x.shape());
  Tensor y({1});
  y.data()[0] = static_cast<float>(kernels::sum(x.data(), count(x)) * factor);
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x = x.on_tape(), factor](const Tensor& dy, Tape& t) {
      kernels::add_constant(dy.data()[0] * static_cast<float>(factor), count(x), t.grad(x)->data());
    });
  }
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  require_same_shape("add", a, b);
  Tensor y(a.shape());
  kernels::add(a.data(), b.data(), count(y), y.data());
  if (Tape* tape = Tape::wanted_by(a, b)) {
    tape->record(y, [a = a.on_tape(), b = b.on_tape()](const Tensor& dy, Tape& t) {
      t.add(a, dy);
      t.add(b, dy);
    });
  }
  return y;
}

Tensor multiply(const Tensor& a, const Tensor& b) {
  require_same_shape("multiply", a, b);
  Tensor y(a.shape());
  kernels::multiply(a.data(), b.data(), count(y), y.data());
  if (Tape* tape = Tape::wanted_by(a, b)) {
    tape->record(y, [a, b](const Tensor& dy, Tape& t) {
      if (Tensor* da = t.grad(a)) kernels::add_product(dy.data(), b.data(), count(dy), da->data());
      if (Tensor* db = t.grad(b)) kernels::add_product(dy.data(), a.data(), count(dy), db->data());
    });
  }
  return y;
}

Tensor scale(const Tensor& x, float factor) {
  require(x.defined(), "scale", "x is undefined");
  Tensor y(x.shape());
  kernels::scale(x.data(), factor, count(x), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x = x.on_tape(), factor](const Tensor& dy, Tape& t) {
      kernels::add_scaled(dy.data(), factor, count(dy), t.grad(x)->data());
    });
  }
  return y;
}

Tensor activate(const Tensor& x, Activation activation) {
  require(x.defined(), "activate", "x is undefined");
  Tensor y(x.shape());
  kernels::activate(x.data(), activation, count(y), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, activation](const Tensor& dy, Tape& t) {
      kernels::activate_backward(x.data(), dy.data(), activation, count(dy), t.grad(x)->data());
    });
  }
  return y;
}

Tensor gated(const Tensor& gate, const Tensor& up, Activation activation) {
  require_same_shape("gated", gate, up);
  Tensor y(gate.shape());
  kernels::gated(gate.data(), up.data(), activation, count(y), y.data());
  if (Tape* tape = Tape::wanted_by(gate, up)) {
    tape->record(y, [gate, up, activation](const Tensor& dy, Tape& t) {
      kernels::gated_backward({gate.data(), up.data(), dy.data(), t.sum(gate), t.sum(up)}, activation, count(dy));
    });
  }
  return y;
}

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, 1.0); }

Tensor mean(const Tensor& x) { return scaled_sum("mean", x, x.size() > 0 ? 1.0 / static_cast<double>(x.size()) : 0.0); }

}  // namespace hearth::ops
