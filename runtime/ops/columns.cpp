// Parts of a row's columns: taking fused projections apart, putting heads together.
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

void check_groups(const char* op, const char* name, const Tensor& x, int groups) {
  require(x.defined() && x.shape().rank() == 2 && groups > 0 && x.dim(-1) % groups == 0, op,
          "{} is {}, must be [tokens, {} * n]", name, x.shape(), groups);
}

// `from_group` columns of b from group to group.
Tensor join(const char* op, const Tensor& a, const Tensor& b, int groups, int64_t from_group) {
  check_groups(op, "a", a, groups);
  require(b.defined() && b.shape().rank() == 2 && b.rows() == a.rows(), op, "b is {}, must be [{}, n]", b.shape(),
          a.rows());
  const int64_t m = a.dim(-1) / groups, n = from_group > 0 ? from_group : b.dim(-1);
  Tensor y({a.rows(), groups * (m + n)});
  const kernels::Grid of_a = {a.dim(-1), m}, of_b = {b.dim(-1), from_group}, of_y = {y.dim(-1), m + n};
  const kernels::GridSize a_size = {a.rows(), groups, m}, b_size = {a.rows(), groups, n};
  kernels::copy_grid(a.data(), of_a, a_size, y.data(), of_y);
  kernels::copy_grid(b.data(), of_b, b_size, y.data() + m, of_y);
  if (Tape* tape = Tape::wanted_by(a, b)) {
    tape->record(y, [=, a = a.on_tape(), b = b.on_tape()](const Tensor& dy, Tape& t) {
      if (Tensor* da = t.grad(a)) kernels::add_grid(dy.data(), of_y, a_size, da->data(), of_a);
      if (Tensor* db = t.grad(b)) kernels::add_grid(dy.data() + m, of_y, b_size, db->data(), of_b);
    });
  }
  return y;
}

}  // namespace

Tensor columns(const Tensor& x, int groups, int64_t begin, int64_t width) {
  check_groups("columns", "x", x, groups);
  const int64_t part = x.dim(-1) / groups;
  require(begin >= 0 && width > 0 && width <= part - begin, "columns", "columns [{}, {} + {}) of {}", begin, begin,
          width, part);
  Tensor y({x.rows(), groups * width});
  const kernels::Grid of_x = {x.dim(-1), part}, of_y = {y.dim(-1), width};
  const kernels::GridSize size = {x.rows(), groups, width};
  kernels::copy_grid(x.data() + begin, of_x, size, y.data(), of_y);
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x = x.on_tape(), begin, of_x, of_y, size](const Tensor& dy, Tape& t) {
      kernels::add_grid(dy.data(), of_y, size, t.grad(x)->data() + begin, of_x);
    });
  }
  return y;
}

Tensor join_columns(const Tensor& a, const Tensor& b, int groups) {
  check_groups("join_columns", "b", b, groups);
  return join("join_columns", a, b, groups, b.dim(-1) / groups);
}

Tensor join_shared_columns(const Tensor& a, const Tensor& b, int groups) {
  return join("join_shared_columns", a, b, groups, 0);
}

}  // namespace hearth::ops
