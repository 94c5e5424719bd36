// The output head: logits, and log-probabilities of targets. Rows with a target are gathered a chunk at a time, so that
// no pass holds [tokens, vocab_size]; where a gradient is wanted, the forward pass makes it too (vocabulary_sweep.h).
#include <algorithm>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/chunked_logprobs.h"
#include "runtime/ops/fact_sums.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/vocabulary_sweep.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

void cap(Tensor& logits, float softcap) {
  if (softcap == 0) return;
  parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
    for (; i < end; ++i) kernels::softcap(logits.row(i), softcap, logits.dim(-1));
  });
}

bool is_trained(const OutputHead& head) { return head.tensor && head.tensor->trained; }

struct TargetRow {
  int64_t row;
  TokenId target;
};

std::vector<TargetRow> rows_with_target(std::span<const TokenId> targets) {
  std::vector<TargetRow> rows;
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] >= 0) rows.push_back({static_cast<int64_t>(i), targets[i]});
  return rows;
}

// fn(chunk of `rows`, logits of the chunk [chunk rows, vocab_size]); fn may overwrite the logits.
template <class Fn>
void for_logits(const Tensor& hidden, const OutputHead& head, std::span<const TargetRow> rows, Fn fn) {
  const int64_t vocab_size = head.weight.out(), n = hidden.dim(-1);
  const int64_t chunk = logits_rows(vocab_size);
  for (size_t begin = 0; begin < rows.size(); begin += chunk) {
    const std::span<const TargetRow> part = rows.subspan(begin, std::min<size_t>(chunk, rows.size() - begin));
    const auto count = static_cast<int64_t>(part.size());
    Tensor x({count, n}), logits({count, vocab_size});
    for (int64_t i = 0; i < count; ++i) std::copy_n(hidden.row(part[i].row), n, x.row(i));
    const kernels::Product product{view(head.weight), nullptr, logits.data()};
    kernels::matmul(x.data(), count, {&product, 1});
    cap(logits, head.softcap);
    fn(part, logits);
  }
}

void check(const char* op, const Tensor& hidden, const OutputHead& head) {
  require(head.weight.defined() && head.softcap >= 0, op, "the head is undefined, or its softcap {} below 0",
          head.softcap);
  require(hidden.defined() && hidden.shape().rank() == 2 && hidden.dim(-1) == head.weight.in(), op,
          "hidden is {}, must be [tokens, {}] for a head [{}, {}]", hidden.shape(), head.weight.in(), head.weight.out(),
          head.weight.in());
}

// Writes the log-probabilities to y, and records what adds dy times their gradient.
void record_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TargetRow> rows, Tape& tape,
                     Tensor& y, std::span<TokenFacts> facts) {
  Tensor x({static_cast<int64_t>(rows.size()), hidden.dim(-1)});
  std::vector<TokenId> targets(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(hidden.row(rows[i].row), hidden.dim(-1), x.row(static_cast<int64_t>(i)));
    targets[i] = rows[i].target;
  }
  std::vector<TokenFacts> swept_facts(facts.empty() ? 0 : rows.size());
  const Logprobs swept = sweep_vocabulary(x, head, targets, swept_facts);
  std::vector<int64_t> places(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    places[i] = rows[i].row;
    y.data()[places[i]] = swept.values.data()[i];
    if (!facts.empty()) facts[places[i]] = swept_facts[i];
  }
  tape.record(y, [hidden = hidden.on_tape(), gradients = swept.gradients, places = std::move(places)](const Tensor& dy,
                                                                                                      Tape& t) {
    Tensor& dx = *t.grad(hidden);
    constexpr int64_t kGrain = 16;  // rows
    parallel_for(gradients.rows(), kGrain, [&](int64_t i, int64_t end) {
      for (; i < end; ++i)
        kernels::add_scaled(gradients.row(i), dy.data()[places[i]], gradients.dim(-1), dx.row(places[i]));
    });
  });
}

}  // namespace

int64_t logits_rows(int64_t vocab_size) {
  constexpr int64_t kBytes = 16 << 20, kLeast = 16, kMost = 256;
  return std::clamp(kBytes / (vocab_size * static_cast<int64_t>(sizeof(float))), kLeast, kMost);
}

Tensor logits(const Tensor& hidden, const OutputHead& head) {
  check("logits", hidden, head);
  if (is_trained(head)) {
    require(!Tape::recording(), "logits", "a trained head's logits are not recorded; losses use token_logprobs");
    Tensor y = linear(hidden, head.tensor->trained->value, {}, head.weight);
    cap(y, head.softcap);
    return y;
  }
  Tensor y({hidden.rows(), head.weight.out()});
  const kernels::Product product{view(head.weight), nullptr, y.data()};
  kernels::matmul(hidden.data(), hidden.rows(), {&product, 1});
  cap(y, head.softcap);
  if (Tape* tape = Tape::wanted_by(hidden)) {
    tape->record(
        y, [hidden = hidden.on_tape(), head, capped = head.softcap == 0 ? Tensor() : y](const Tensor& dy, Tape& t) {
          Tensor d = dy;
          if (capped.defined()) {
            d = Tensor(dy.shape());
            std::copy_n(dy.data(), dy.size(), d.data());
            parallel_for(d.rows(), 1, [&](int64_t i, int64_t end) {
              for (; i < end; ++i) kernels::softcap_slope(capped.row(i), head.softcap, d.dim(-1), d.row(i));
            });
          }
          kernels::matmul_backward(d.data(), d.rows(), view(head.weight), t.grad(hidden)->data());
        });
  }
  return y;
}

Tensor token_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets,
                      std::span<TokenFacts> facts) {
  check("token_logprobs", hidden, head);
  require(static_cast<int64_t>(targets.size()) == hidden.rows(), "token_logprobs", "{} targets for hidden {}",
          targets.size(), hidden.shape());
  require(facts.empty() || facts.size() == targets.size(), "token_logprobs", "{} facts for {} targets", facts.size(),
          targets.size());
  for (const TokenId target : targets)
    require(target < head.weight.out(), "token_logprobs", "target {}, must be below {}", target, head.weight.out());

  if (is_trained(head)) return chunked_logprobs(hidden, head, targets, LogprobOf::kTarget, facts);
  const std::vector<TargetRow> rows = rows_with_target(targets);
  Tensor y = Tensor::zeros({hidden.rows()});
  if (Tape* tape = Tape::wanted_by(hidden)) {
    record_logprobs(hidden, head, rows, *tape, y, facts);
    return y;
  }
  for_logits(hidden, head, rows, [&](std::span<const TargetRow> part, Tensor& logits) {
    parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) {
        float* row = logits.row(i);
        const float target = row[part[i].target], log_sum = kernels::log_sum_exp(row, logits.dim(-1));
        y.data()[part[i].row] = target - log_sum;
        if (facts.empty()) continue;
        FactSums sums;
        sums.add(row, log_sum, logits.dim(-1));
        facts[part[i].row] = sums.facts(1.f, target, logits.dim(-1));
      }
    });
  });
  return y;
}

Tensor mean_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets) {
  check("mean_logprobs", hidden, head);
  return chunked_logprobs(hidden, head, targets, LogprobOf::kVocabulary);
}

}  // namespace hearth::ops
