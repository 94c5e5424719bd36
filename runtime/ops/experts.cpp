// Mixtures of experts: what a router does with its scores, and the sum of what the experts made.
#include <memory>
#include <vector>

#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

void check_rows(const char* op, const Tensor& x) {
  require(x.defined() && x.shape().rank() == 2 && x.dim(-1) > 0, op, "x is {}, must be [tokens, n]", x.shape());
}

// Row `row` of expert `expert`'s part, which goes to a token with that token's weight in column `slot`.
struct Term {
  int expert, row, slot;
};

// The terms of each token, in the order of the experts.
struct TermsByToken {
  std::vector<Term> terms;
  std::vector<int64_t> begins;  // [tokens + 1]
};

TermsByToken by_token(std::span<const ExpertRows> experts, int64_t tokens) {
  TermsByToken by;
  by.begins.assign(tokens + 1, 0);
  for (const ExpertRows& expert : experts)
    for (const int token : expert.rows) ++by.begins[token + 1];
  for (int64_t t = 0; t < tokens; ++t) by.begins[t + 1] += by.begins[t];
  by.terms.resize(by.begins[tokens]);
  std::vector<int64_t> next(by.begins.begin(), by.begins.end() - 1);
  for (size_t e = 0; e < experts.size(); ++e) {
    for (size_t i = 0; i < experts[e].rows.size(); ++i)
      by.terms[next[experts[e].rows[i]]++] = {static_cast<int>(e), static_cast<int>(i), experts[e].slots[i]};
  }
  return by;
}

// -> n, the width of the parts.
int64_t checked_width(std::span<const Tensor> parts, std::span<const ExpertRows> experts, const Tensor& weights,
                      int64_t tokens) {
  constexpr const char* kOp = "combine";
  require(weights.defined() && weights.shape() == Shape{tokens, weights.dim(-1)}, kOp,
          "weights are {}, must be [{}, k]", weights.shape(), tokens);
  require(parts.size() == experts.size(), kOp, "{} parts of {} experts", parts.size(), experts.size());
  int64_t n = 0;
  for (size_t e = 0; e < parts.size(); ++e) {
    const ExpertRows& expert = experts[e];
    const auto rows = static_cast<int64_t>(expert.rows.size());
    require(expert.slots.size() == expert.rows.size(), kOp, "expert {} has {} rows and {} slots", e, rows,
            expert.slots.size());
    if (rows == 0 && !parts[e].defined()) continue;
    if (n == 0 && parts[e].defined()) n = parts[e].dim(-1);
    require(parts[e].defined() && parts[e].shape() == Shape{rows, n}, kOp, "part {} is {}, must be [{}, {}]", e,
            parts[e].shape(), rows, n);
    for (int64_t i = 0; i < rows; ++i) {
      require(
          expert.rows[i] >= 0 && expert.rows[i] < tokens && expert.slots[i] >= 0 && expert.slots[i] < weights.dim(-1),
          kOp, "expert {} has token {} with weight {}, of weights {}", e, expert.rows[i], expert.slots[i],
          weights.shape());
    }
  }
  require(n > 0, kOp, "no expert has a row");
  return n;
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check_rows("softmax", x);
  Tensor y(x.shape());
  kernels::softmax(x.data(), x.rows(), x.dim(-1), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, y](const Tensor& dy, Tape& t) {
      kernels::softmax_backward(y.data(), dy.data(), y.rows(), y.dim(-1), t.grad(x)->data());
    });
  }
  return y;
}

Tensor sigmoid(const Tensor& x) {
  require(x.defined(), "sigmoid", "x is undefined");
  const auto count = static_cast<int64_t>(x.size());
  Tensor y(x.shape());
  kernels::sigmoid(x.data(), count, y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, y, count](const Tensor& dy, Tape& t) {
      kernels::sigmoid_backward(y.data(), dy.data(), count, t.grad(x)->data());
    });
  }
  return y;
}

Tensor pick(const Tensor& x, std::span<const int> columns, int k) {
  check_rows("pick", x);
  const int64_t rows = x.rows();
  require(k > 0 && static_cast<int64_t>(columns.size()) == rows * k, "pick", "{} columns for {} of each row of {}",
          columns.size(), k, x.shape());
  for (const int column : columns)
    require(column >= 0 && column < x.dim(-1), "pick", "column {} of x {} does not exist", column, x.shape());
  Tensor y({rows, k});
  for (int64_t i = 0; i < rows * k; ++i) y.data()[i] = x.row(i / k)[columns[i]];
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, k, picked = std::vector<int>(columns.begin(), columns.end())](const Tensor& dy, Tape& t) {
      Tensor* dx = t.grad(x);
      for (size_t i = 0; i < picked.size(); ++i) dx->row(static_cast<int64_t>(i) / k)[picked[i]] += dy.data()[i];
    });
  }
  return y;
}

Tensor shares(const Tensor& x) {
  check_rows("shares", x);
  Tensor y(x.shape());
  kernels::shares(x.data(), x.rows(), x.dim(-1), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x](const Tensor& dy, Tape& t) {
      kernels::shares_backward(x.data(), dy.data(), x.rows(), x.dim(-1), t.grad(x)->data());
    });
  }
  return y;
}

Tensor combine(std::span<const Tensor> parts, std::span<const ExpertRows> experts, const Tensor& weights,
               int64_t tokens) {
  const int64_t n = checked_width(parts, experts, weights, tokens);
  auto by = std::make_shared<const TermsByToken>(by_token(experts, tokens));
  // Each term as the kernel wants it. fn(term, token) -> WeightedRow.
  const auto terms_of = [](const TermsByToken& by_tokens, auto fn) {
    std::vector<kernels::WeightedRow> rows;
    rows.reserve(by_tokens.terms.size());
    for (size_t t = 0; t + 1 < by_tokens.begins.size(); ++t) {
      for (int64_t i = by_tokens.begins[t]; i < by_tokens.begins[t + 1]; ++i)
        rows.push_back(fn(by_tokens.terms[i], static_cast<int64_t>(t)));
    }
    return rows;
  };
  const std::vector<kernels::WeightedRow> terms = terms_of(*by, [&](const Term& term, int64_t token) {
    return kernels::WeightedRow{parts[term.expert].row(term.row), weights.row(token)[term.slot], nullptr, nullptr};
  });
  Tensor y({tokens, n});
  kernels::weighted_sums({terms.data(), by->begins.data(), tokens, n}, y.data());

  const Tensor* wanting = &weights;
  for (const Tensor& part : parts)
    if (part.needs_grad()) wanting = &part;
  if (Tape* tape = Tape::wanted_by(weights, *wanting)) {
    tape->record(y, [parts = std::vector<Tensor>(parts.begin(), parts.end()), weights, by, terms_of, tokens, n](
                        const Tensor& dy, Tape& t) {
      Tensor* dweights = t.grad(weights);
      const std::vector<kernels::WeightedRow> with_gradients = terms_of(*by, [&](const Term& term, int64_t token) {
        const Tensor& part = parts[term.expert];
        Tensor* dpart = t.grad(part);
        return kernels::WeightedRow{part.row(term.row), weights.row(token)[term.slot],
                                    dpart ? dpart->row(term.row) : nullptr,
                                    dweights ? dweights->row(token) + term.slot : nullptr};
      });
      kernels::weighted_sums_backward({with_gradients.data(), by->begins.data(), tokens, n}, dy.data());
    });
  }
  return y;
}

}  // namespace hearth::ops
