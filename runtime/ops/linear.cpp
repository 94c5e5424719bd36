// Products with matrices: frozen ones of any storage format, with what adapters add to them, and trained ones.
// Projections of one x are one group: forward and backward, each passes over x once for all of them.
#include <algorithm>
#include <array>
#include <memory>

#include "runtime/base/parallel.h"
#include "runtime/kernels/low_rank.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

constexpr size_t kMost = 8;  // projections of a group

void check(const Tensor& x, int64_t out, int64_t in, const Tensor& bias) {
  require(x.defined() && x.shape().rank() == 2 && x.dim(-1) == in, "linear",
          "x is {}, must be [tokens, {}] for a weight [{}, {}]", x.shape(), in, out, in);
  require(!bias.defined() || bias.shape() == Shape{out}, "linear", "bias is {}, must be [{}]", bias.shape(), out);
}

void check(const LowRankRows& part, int64_t rows, int64_t out, int64_t in) {
  const int64_t rank = part.a.dim(0);
  require(part.begin >= 0 && part.begin < part.end && part.end <= rows, "linear",
          "an adapter's rows are {} to {} of {}", part.begin, part.end, rows);
  require(part.a.shape() == Shape{rank, in} && part.b.shape() == Shape{out, rank}, "linear",
          "an adapter's a is {} and b {}, for a weight [{}, {}]", part.a.shape(), part.b.shape(), out, in);
}

// An adapter's part of one projection.
struct Part {
  size_t projection;
  LowRankRows rows;
  Tensor h;  // x a^T  [rows, rank]
};

// fn(the parts that share rows), at most kMost at a time. `parts` are in the order of their rows.
template <class Fn>
void for_shared_rows(std::span<Part> parts, Fn fn) {
  const size_t most = std::min<size_t>(kMost, kernels::kMostLowRanks);
  for (size_t i = 0, end = 0; i < parts.size(); i = end) {
    for (end = i; end < parts.size() && end - i < most && parts[end].rows.begin == parts[i].rows.begin &&
                  parts[end].rows.end == parts[i].rows.end;)
      ++end;
    fn(parts.subspan(i, end - i));
  }
}

void add_parts(const Tensor& x, std::span<Part> parts, std::span<Tensor> y) {
  for_shared_rows(parts, [&](std::span<Part> shared) {
    const int64_t begin = shared[0].rows.begin, rows = shared[0].rows.end - begin;
    std::array<kernels::LowRankProduct, kMost> products;
    for (size_t i = 0; i < shared.size(); ++i) {
      Part& part = shared[i];
      const int64_t rank = part.rows.a.dim(0);
      part.h = Tensor({rows, rank});
      products[i] = {.a = part.rows.a.data(),
                     .b = part.rows.b.data(),
                     .rank = rank,
                     .out = part.rows.b.dim(0),
                     .scale = part.rows.scale,
                     .h = part.h.data(),
                     .y = y[part.projection].row(begin)};
    }
    kernels::low_rank(x.row(begin), rows, x.dim(-1), std::span(products).first(shared.size()));
  });
}

// The gradients of `parts` whose projection has one, and the share of x.
void add_part_gradients(const Kept& x, std::span<Part> parts, std::span<const Tensor> dy, Tape& tape) {
  Tensor* dx = tape.grad(x.place());
  const int64_t in = x.place().dim(-1);
  for_shared_rows(parts, [&](std::span<Part> shared) {
    const int64_t begin = shared[0].rows.begin, rows = shared[0].rows.end - begin;
    std::array<kernels::LowRankGradient, kMost> gradients;
    size_t count = 0;
    for (const Part& part : shared) {
      if (!dy[part.projection].defined()) continue;
      Tensor *da = tape.grad(part.rows.a), *db = tape.grad(part.rows.b);
      gradients[count++] = {.a = part.rows.a.data(),
                            .b = part.rows.b.data(),
                            .rank = part.rows.a.dim(0),
                            .out = part.rows.b.dim(0),
                            .scale = part.rows.scale,
                            .h = part.h.data(),
                            .dy = dy[part.projection].row(begin),
                            .da = da ? da->data() : nullptr,
                            .db = db ? db->data() : nullptr};
    }
    kernels::low_rank_backward(x.rows().from(begin), rows, in, std::span(gradients).first(count),
                               dx ? dx->row(begin) : nullptr);
  });
}

// What the backward pass of a group needs.
struct Group {
  Tensor x;                          // its place on the tape
  Kept kept = {};                    // its values, which only parts read
  std::vector<Weight> weights = {};  // frozen: their gradient goes to x alone
  std::vector<Tensor> biases = {};
  std::vector<Part> parts = {};
  std::vector<Tensor> dy = {};  // of those projections that the sweep has passed
};

// Products in bf16 take the parts of their rows along: fn(first row, end) for consecutive rows that share their parts.
template <class Fn>
void for_runs(const std::vector<Part>& parts, int64_t rows, Fn fn) {
  std::vector<int64_t> borders{0, rows};
  for (const Part& part : parts) borders.insert(borders.end(), {part.rows.begin, part.rows.end});
  std::sort(borders.begin(), borders.end());
  for (size_t i = 1; i < borders.size(); ++i)
    if (borders[i - 1] < borders[i]) fn(borders[i - 1], borders[i]);
}

// The part of a projection that has these rows, or null.
Part* part_of(std::vector<Part>& parts, size_t projection, int64_t row) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const Part& part) {
    return part.projection == projection && part.rows.begin <= row && row < part.rows.end;
  });
  return found == parts.end() ? nullptr : &*found;
}

kernels::LowRankFactors factors(const LowRankRows& rows) {
  return {rows.a.data(), rows.b.data(), rows.a.dim(0), rows.scale};
}

// Of row `row` of the call.
float* row_of_h(Part& part, int64_t row) { return part.h.row(row - part.rows.begin); }

void multiply_bf16(const Tensor& x, std::span<const kernels::Product> products, std::vector<Part>& parts) {
  for (Part& part : parts) part.h = Tensor({part.rows.end - part.rows.begin, kernels::padded_rank(part.rows.a.dim(0))});
  for_runs(parts, x.rows(), [&](int64_t begin, int64_t end) {
    std::array<kernels::Product, kMost> run;
    for (size_t i = 0; i < products.size(); ++i) {
      run[i] = products[i];
      run[i].y += begin * run[i].weight.out;
      Part* part = part_of(parts, i, begin);
      if (!part) continue;
      run[i].adapter = factors(part->rows);
      run[i].h = row_of_h(*part, begin);
    }
    kernels::matmul(x.row(begin), end - begin, std::span(run).first(products.size()));
  });
}

void sweep_bf16(Group& group, Tape& tape) {
  const int64_t in = group.x.dim(-1);
  const kernels::GradientSum dx = tape.sum(group.x);
  if (!dx && group.parts.empty()) return;
  const kernels::RowSource x = group.parts.empty() ? kernels::RowSource(nullptr, in) : group.kept.rows();
  for_runs(group.parts, group.x.rows(), [&](int64_t begin, int64_t end) {
    std::array<kernels::ProductGradient, kMost> run;
    size_t count = 0;
    for (size_t i = 0; i < group.dy.size(); ++i) {
      if (!group.dy[i].defined()) continue;
      kernels::ProductGradient& g = run[count++];
      g = {.weight = view(group.weights[i]), .dy = group.dy[i].row(begin)};
      Part* part = part_of(group.parts, i, begin);
      if (!part) continue;
      Tensor *da = tape.grad(part->rows.a), *db = tape.grad(part->rows.b);
      g.adapter = factors(part->rows);
      g.h = row_of_h(*part, begin);
      g.da = da ? da->data() : nullptr;
      g.db = db ? db->data() : nullptr;
    }
    kernels::matmul_backward(x.from(begin), end - begin, std::span(run).first(count), dx.from(begin * in));
  });
}

void sweep(Group& group, Tape& tape) {
  for (size_t i = 0; i < group.dy.size(); ++i) {
    if (!group.dy[i].defined()) continue;
    if (Tensor* db = tape.grad(group.biases[i]))
      kernels::add_columns(group.dy[i].data(), group.dy[i].rows(), group.dy[i].dim(-1), db->data());
  }
  if (!group.weights.empty() && group.weights[0].is_bf16()) return sweep_bf16(group, tape);
  for (size_t i = 0; i < group.weights.size(); ++i) {
    const Tensor& dy = group.dy[i];
    if (dy.defined() && group.x.needs_grad())
      kernels::matmul_backward(dy.data(), dy.rows(), view(group.weights[i]), tape.sum(group.x));
  }
  if (!group.parts.empty()) add_part_gradients(group.kept, group.parts, group.dy, tape);
}

bool wants_gradient(const Group& group) {
  const auto wants = [](const Tensor& t) { return t.needs_grad(); };
  return wants(group.x) || std::any_of(group.biases.begin(), group.biases.end(), wants) ||
         std::any_of(group.parts.begin(), group.parts.end(),
                     [&](const Part& part) { return wants(part.rows.a) || wants(part.rows.b); });
}

// The sweep passes the outputs first, in any number; the node before them has then all their gradients.
void record(Group computed, std::span<Tensor> y) {
  Tape* tape = Tape::active();
  if (!tape || !wants_gradient(computed)) return;
  if (!computed.parts.empty()) computed.kept = tape->keep(computed.x);
  computed.x = computed.x.on_tape();
  for (Tensor& bias : computed.biases) bias = bias.on_tape();
  const auto group = std::make_shared<Group>(std::move(computed));
  group->dy.resize(y.size());
  Tensor all({1});
  tape->record(all, [group](const Tensor&, Tape& t) { sweep(*group, t); });
  for (size_t i = 0; i < y.size(); ++i) {
    tape->record(y[i], [group, all, i](const Tensor& dy, Tape& t) {
      group->dy[i] = dy;
      t.grad(all);
    });
  }
}

}  // namespace

Tensor linear(const Tensor& x, const Weight& weight, const Tensor& bias) {
  const Projection one{&weight, bias.defined() ? &bias : nullptr};
  return std::move(linear(x, {&one, 1}).front());
}

std::vector<Tensor> linear(const Tensor& x, std::span<const Projection> projections) {
  require(projections.size() <= kMost, "linear", "{} projections of one x, at most {}", projections.size(), kMost);
  std::array<kernels::Product, kMost> products;
  std::vector<Tensor> y;
  y.reserve(projections.size());
  Group group{.x = x};
  for (const Projection& p : projections) {
    const size_t i = y.size();
    require(p.weight != nullptr && p.weight->defined(), "linear", "the weight is undefined");
    group.biases.push_back(p.bias ? *p.bias : Tensor());
    if (Tape::recording()) group.weights.push_back(*p.weight);
    check(x, p.weight->out(), p.weight->in(), group.biases.back());
    for (const LowRankRows& part : p.low_ranks) {
      check(part, x.rows(), p.weight->out(), p.weight->in());
      group.parts.push_back({i, part, {}});
    }
    y.emplace_back(Shape{x.rows(), p.weight->out()});
    products[i] = {view(*p.weight), p.bias ? p.bias->data() : nullptr, y.back().data()};
  }
  const std::span<const kernels::Product> all = std::span(products).first(y.size());
  if (!all.empty() && all[0].weight.is_bf16()) {
    multiply_bf16(x, all, group.parts);
  } else {
    kernels::matmul(x.data(), x.rows(), all);
    std::stable_sort(group.parts.begin(), group.parts.end(),
                     [](const Part& a, const Part& b) { return a.rows.begin < b.rows.begin; });
    add_parts(x, group.parts, y);
  }
  record(std::move(group), y);
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Weight& frozen) {
  require(weight.defined() && weight.shape() == Shape{frozen.out(), frozen.in()}, "linear",
          "weight is {}, must be [{}, {}]", weight.shape(), frozen.out(), frozen.in());
  check(x, weight.dim(0), weight.dim(1), bias);
  const kernels::DensePrecision precision = precision_of(frozen);
  const auto matrix = [](const Tensor& w) { return kernels::DenseMatrix{w.data(), w.dim(0), w.dim(1)}; };
  Tensor y({x.rows(), weight.dim(0)});
  kernels::dense(x.data(), x.rows(), matrix(weight), bias.defined() ? bias.data() : nullptr, precision, y.data());
  if (Tape* tape = Tape::wanted_by(x, weight, bias)) {
    tape->record(y,
                 [kept = tape->keep(x), weight, bias = bias.on_tape(), precision, matrix](const Tensor& dy, Tape& t) {
                   const Tensor& place = kept.place();
                   if (place.needs_grad())
                     kernels::dense_backward(dy.data(), dy.rows(), matrix(weight), precision, t.sum(place));
                   if (Tensor* dw = t.grad(weight)) {
                     const Tensor in = kept.value();
                     kernels::dense_weight_backward({dy.data(), in.data(), in.rows(), dy.dim(-1), in.dim(-1)},
                                                    precision, dw->data());
                   }
                   if (Tensor* db = t.grad(bias)) kernels::add_columns(dy.data(), dy.rows(), dy.dim(-1), db->data());
                 });
  }
  return y;
}

Tensor low_rank(const Tensor& x, int64_t out, std::span<const LowRankRows> low_ranks) {
  Group group{.x = x};
  group.biases.emplace_back();
  for (const LowRankRows& part : low_ranks) {
    check(part, x.rows(), out, x.dim(-1));
    group.parts.push_back({0, part, {}});
  }
  Tensor y = Tensor::zeros({x.rows(), out});
  add_parts(x, group.parts, {&y, 1});
  record(std::move(group), {&y, 1});
  return y;
}

}  // namespace hearth::ops
