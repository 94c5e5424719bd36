#include "runtime/ops/chunked_logprobs.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "runtime/base/parallel.h"
#include "runtime/kernels/dense.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/fact_sums.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

// A head's products, frozen or trained.
class HeadProducts {
 public:
  explicit HeadProducts(const OutputHead& head)
      : weight_(head.weight),
        softcap_(head.softcap),
        trained_(head.tensor && head.tensor->trained ? Tape::leaf(*head.tensor->trained) : Tensor()) {}

  int64_t vocab_size() const { return weight_.out(); }
  const Tensor& trained() const { return trained_; }  // undefined: frozen

  Tensor logits(const Tensor& x) const {
    Tensor y({x.rows(), vocab_size()});
    if (trained_.defined()) {
      kernels::dense(x.data(), x.rows(), matrix(), nullptr, precision(), y.data());
    } else {
      const kernels::Product product{view(weight_), nullptr, y.data()};
      kernels::matmul(x.data(), x.rows(), {&product, 1});
    }
    if (softcap_ == 0) return y;
    parallel_for(y.rows(), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) kernels::softcap(y.row(i), softcap_, vocab_size());
    });
    return y;
  }

  // dy of logits becomes dy of what the softcap was put on.
  void uncap(const float* capped, float* dy) const {
    if (softcap_ != 0) kernels::softcap_slope(capped, softcap_, vocab_size(), dy);
  }

  void backward(const Tensor& x, const Tensor& dlogits, Tensor* dx, Tensor* dweight) const {
    if (dx) {
      if (trained_.defined()) {
        kernels::dense_backward(dlogits.data(), dlogits.rows(), matrix(), precision(), dx->data());
      } else {
        kernels::matmul_backward(dlogits.data(), dlogits.rows(), view(weight_), dx->data());
      }
    }
    if (dweight)
      kernels::dense_weight_backward({dlogits.data(), x.data(), x.rows(), vocab_size(), weight_.in()}, precision(),
                                     dweight->data());
  }

 private:
  kernels::DenseMatrix matrix() const { return {trained_.data(), weight_.out(), weight_.in()}; }
  kernels::DensePrecision precision() const { return precision_of(weight_); }

  Weight weight_;
  float softcap_;
  Tensor trained_;
};

// fn(rows of the chunk, their hidden states, their logits)
template <class Fn>
void for_chunks(const Tensor& hidden, const HeadProducts& head, std::span<const int> rows, Fn fn) {
  const int64_t chunk = logits_rows(head.vocab_size());
  const Tape::Paused values_alone;
  for (size_t begin = 0; begin < rows.size(); begin += chunk) {
    const std::span<const int> part = rows.subspan(begin, std::min<size_t>(chunk, rows.size() - begin));
    const Tensor x = gather_rows(hidden, part);
    Tensor logits = head.logits(x);
    fn(part, x, logits);
  }
}

// Logits of one row become d times the slope of its log-probability.
void to_slope(const HeadProducts& head, LogprobOf of, TokenId target, float d, float* logits) {
  const int64_t n = head.vocab_size();
  const std::vector<float> capped(logits, logits + n);
  kernels::scaled_softmax(logits, kernels::log_sum_exp(logits, n), -d, n);
  if (of == LogprobOf::kTarget) {
    logits[target] += d;
  } else {
    kernels::add_constant(d / static_cast<float>(n), n, logits);
  }
  head.uncap(capped.data(), logits);
}

}  // namespace

Tensor chunked_logprobs(const Tensor& hidden, const OutputHead& output_head, std::span<const TokenId> targets,
                        LogprobOf of, std::span<TokenFacts> facts) {
  require(hidden.defined() && hidden.rows() == static_cast<int64_t>(targets.size()), "chunked_logprobs",
          "{} targets for hidden {}", targets.size(), hidden.shape());
  const HeadProducts head(output_head);
  const int64_t n = head.vocab_size();
  std::vector<int> rows;
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] >= 0) rows.push_back(static_cast<int>(i));
  Tensor y = Tensor::zeros({hidden.rows()});
  for_chunks(hidden, head, rows, [&](std::span<const int> part, const Tensor&, Tensor& logits) {
    parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) {
        float* row = logits.row(i);
        const double found = of == LogprobOf::kTarget ? row[targets[part[i]]]
                                                      : std::accumulate(row, row + n, 0.0) / static_cast<double>(n);
        const float log_sum = kernels::log_sum_exp(row, n);
        y.data()[part[i]] = static_cast<float>(found - log_sum);
        if (facts.empty()) continue;
        FactSums sums;
        sums.add(row, log_sum, n);
        facts[part[i]] = sums.facts(1.f, static_cast<float>(found), n);
      }
    });
  });
  Tape* tape = Tape::wanted_by(hidden, head.trained());
  if (!tape) return y;
  tape->record(y, [hidden, head, rows = std::move(rows), of,
                   targets = std::vector<TokenId>(targets.begin(), targets.end())](const Tensor& dy, Tape& t) {
    Tensor* dx = t.grad(hidden);
    Tensor* dweight = t.grad(head.trained());
    for_chunks(hidden, head, rows, [&](std::span<const int> part, const Tensor& x, Tensor& logits) {
      parallel_for(logits.rows(), 1, [&](int64_t i, int64_t end) {
        for (; i < end; ++i) to_slope(head, of, targets[part[i]], dy.data()[part[i]], logits.row(i));
      });
      Tensor dpart = dx ? Tensor::zeros(x.shape()) : Tensor();
      head.backward(x, logits, dx ? &dpart : nullptr, dweight);
      for (int64_t i = 0; dx && i < dpart.rows(); ++i)
        kernels::add_scaled(dpart.row(i), 1.0f, dpart.dim(-1), dx->row(part[i]));
    });
  });
  return y;
}

}  // namespace hearth::ops
