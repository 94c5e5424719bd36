#include <algorithm>

#include "runtime/base/parallel.h"
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

// fn(first row, end, first element, elements) over all of x, on all threads, in blocks that a kernel takes alone.
template <class Fn>
void for_blocks(const Tensor& x, Fn fn) {
  constexpr int64_t kFloats = 16 << 10;
  const int64_t width = std::max<int64_t>(x.dim(-1), 1), rows = std::max<int64_t>(kFloats / width, 1);
  parallel_for(x.rows(), rows, [&](int64_t row, int64_t last) {
    for (; row < last; row += rows) {
      const int64_t end = std::min(row + rows, last);
      fn(row, end, row * width, (end - row) * width);
    }
  });
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
    const Kept kept = tape->keep(x);
    tape->record(
        y,
        [kept, activation](const Tensor& dy, Tape& t) {
          float* dx = t.grad(kept.place())->data();
          for_blocks(dy, [&](int64_t begin, int64_t end, int64_t at, int64_t n) {
            kernels::activate_backward(KeptRows(kept, begin, end).data(), dy.data() + at, activation, n, dx + at);
          });
        },
        [kept, activation, width = x.dim(-1)](int64_t begin, int64_t end, float* out) {
          kernels::activate(KeptRows(kept, begin, end).data(), activation, (end - begin) * width, out);
        });
  }
  return y;
}

Tensor gated(const Tensor& gate, const Tensor& up, Activation activation) {
  require_same_shape("gated", gate, up);
  Tensor y(gate.shape());
  kernels::gated(gate.data(), up.data(), activation, count(y), y.data());
  if (Tape* tape = Tape::wanted_by(gate, up)) {
    const Kept g = tape->keep(gate), u = tape->keep(up);
    tape->record(
        y,
        [g, u, activation](const Tensor& dy, Tape& t) {
          const kernels::GradientSum dgate = t.sum(g.place()), dup = t.sum(u.place());
          for_blocks(dy, [&](int64_t begin, int64_t end, int64_t at, int64_t n) {
            const KeptRows gate_rows(g, begin, end), up_rows(u, begin, end);
            kernels::gated_backward({gate_rows.data(), up_rows.data(), dy.data() + at, dgate.from(at), dup.from(at)},
                                    activation, n);
          });
        },
        [g, u, activation, width = gate.dim(-1)](int64_t begin, int64_t end, float* out) {
          kernels::gated(KeptRows(g, begin, end).data(), KeptRows(u, begin, end).data(), activation,
                         (end - begin) * width, out);
        });
  }
  return y;
}

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, 1.0); }

Tensor mean(const Tensor& x) { return scaled_sum("mean", x, x.size() > 0 ? 1.0 / static_cast<double>(x.size()) : 0.0); }

}  // namespace hearth::ops
