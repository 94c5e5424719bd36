// The output head: logits, and log-probabilities of targets. Rows with a target are gathered a chunk at a time, so that
// neither pass holds [tokens, vocab_size]: the backward pass computes the chunk's logits again.
#include <algorithm>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

void cap(Tensor& logits, float softcap) {
  if (softcap == 0) return;
  parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
    for (; i < end; ++i) kernels::softcap(logits.row(i), softcap, logits.dim(-1));
  });
}

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

Tensor row_copy(const Tensor& x, int64_t r) {
  Tensor y({x.dim(-1)});
  std::copy_n(x.row(r), x.dim(-1), y.data());
  return y;
}

void add_gradient(const Tensor& hidden, const OutputHead& head, std::span<const TargetRow> rows, const Tensor& dy,
                  const Tensor& log_sums, Tensor& dx) {
  for_logits(hidden, head, rows, [&](std::span<const TargetRow> part, Tensor& logits) {
    parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) {
        const float d = dy.data()[part[i].row];
        const Tensor capped = head.softcap == 0 ? Tensor() : row_copy(logits, i);
        kernels::scaled_softmax(logits.row(i), log_sums.data()[part[i].row], -d, logits.dim(-1));
        logits.row(i)[part[i].target] += d;
        if (capped.defined()) kernels::softcap_slope(capped.data(), head.softcap, logits.dim(-1), logits.row(i));
      }
    });
    Tensor dpart = Tensor::zeros({logits.rows(), hidden.dim(-1)});
    kernels::matmul_backward(logits.data(), logits.rows(), view(head.weight), dpart.data());
    for (int64_t i = 0; i < dpart.rows(); ++i)
      kernels::add_scaled(dpart.row(i), 1.0f, dpart.dim(-1), dx.row(part[i].row));
  });
}

void check(const char* op, const Tensor& hidden, const OutputHead& head) {
  require(head.weight.defined() && head.softcap >= 0, op, "the head is undefined, or its softcap {} below 0",
          head.softcap);
  require(hidden.defined() && hidden.shape().rank() == 2 && hidden.dim(-1) == head.weight.in(), op,
          "hidden is {}, must be [tokens, {}] for a head [{}, {}]", hidden.shape(), head.weight.in(), head.weight.out(),
          head.weight.in());
}

}  // namespace

int64_t logits_rows(int64_t vocab_size) {
  constexpr int64_t kBytes = 16 << 20, kLeast = 16, kMost = 256;
  return std::clamp(kBytes / (vocab_size * static_cast<int64_t>(sizeof(float))), kLeast, kMost);
}

Tensor logits(const Tensor& hidden, const OutputHead& head) {
  check("logits", hidden, head);
  Tensor y({hidden.rows(), head.weight.out()});
  const kernels::Product product{view(head.weight), nullptr, y.data()};
  kernels::matmul(hidden.data(), hidden.rows(), {&product, 1});
  cap(y, head.softcap);
  if (Tape* tape = Tape::wanted_by(hidden)) {
    tape->record(y, [hidden, head, capped = head.softcap == 0 ? Tensor() : y](const Tensor& dy, Tape& t) {
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

Tensor token_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets) {
  check("token_logprobs", hidden, head);
  require(static_cast<int64_t>(targets.size()) == hidden.rows(), "token_logprobs", "{} targets for hidden {}",
          targets.size(), hidden.shape());
  for (const TokenId target : targets)
    require(target < head.weight.out(), "token_logprobs", "target {}, must be below {}", target, head.weight.out());

  std::vector<TargetRow> rows = rows_with_target(targets);
  Tensor y = Tensor::zeros({hidden.rows()});
  Tape* tape = Tape::wanted_by(hidden);
  Tensor log_sums = tape ? Tensor({hidden.rows()}) : Tensor();
  for_logits(hidden, head, rows, [&](std::span<const TargetRow> part, Tensor& logits) {
    parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) {
        const float log_sum = kernels::log_sum_exp(logits.row(i), logits.dim(-1));
        y.data()[part[i].row] = logits.row(i)[part[i].target] - log_sum;
        if (tape) log_sums.data()[part[i].row] = log_sum;
      }
    });
  });
  if (tape) {
    tape->record(y, [hidden, head, rows = std::move(rows), log_sums](const Tensor& dy, Tape& t) {
      add_gradient(hidden, head, rows, dy, log_sums, *t.grad(hidden));
    });
  }
  return y;
}

}  // namespace hearth::ops
