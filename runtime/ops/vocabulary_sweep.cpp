#include "runtime/ops/vocabulary_sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/base/parallel.h"
#include "runtime/kernels/packed_weight.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/fact_sums.h"
#include "runtime/ops/weight_view.h"

namespace hearth::ops {
namespace {

constexpr int64_t kBlock = 1024;  // of the vocabulary; a multiple of a panel
constexpr int64_t kRows = 1024;   // that pass together: 4 MB of logits

// A row on its way through the vocabulary: its sum of exp(logit - shift) so far; its row of the gradient holds
// the sum of exp(logit - shift) * slope of the softcap * W_v over all but the target.
struct RowState {
  float shift = -std::numeric_limits<float>::infinity();
  float sum = 0;
  float target_logit = 0;
  FactSums facts = {};
};

struct Rows {
  const float* x;
  const TokenId* targets;
  int64_t count;
  float *values, *gradients;
  TokenFacts* facts;  // or null
};

class Sweep {
 public:
  Sweep(const OutputHead& head, const Rows& rows)
      : head_(head), rows_(rows), states_(static_cast<size_t>(rows.count)) {}

  void run() {
    Tensor logits({rows_.count, std::min(kBlock, head_.weight.out())});
    for (int64_t begin = 0; begin < head_.weight.out(); begin += kBlock) {
      const int64_t count = std::min(kBlock, head_.weight.out() - begin);
      kernels::WeightView part = view(head_.weight);
      part.rows = head_.weight.row(begin);
      part.out = count;
      kernels::PackedWeight packed;
      if (part.packed) {
        packed = kernels::slice(*part.packed, begin, count);
        part.packed = &packed;
      }
      const kernels::Product product{part, nullptr, logits.data()};
      kernels::matmul(rows_.x, rows_.count, {&product, 1});
      parallel_for(rows_.count, 1, [&](int64_t r, int64_t end) {
        for (; r < end; ++r) pass_row(r, begin, count, logits.data() + r * count);
      });
      kernels::matmul_backward(logits.data(), rows_.count, part, rows_.gradients);
    }
    parallel_for(rows_.count, 1, [&](int64_t r, int64_t end) {
      for (; r < end; ++r) finish_row(r);
    });
  }

 private:
  int64_t width() const { return head_.weight.in(); }

  // Logits of ids [begin, begin + count) -> their weights in the gradient. The target has none yet: its share,
  // 1 - p, would cancel.
  void pass_row(int64_t r, int64_t begin, int64_t count, float* logits) {
    RowState& state = states_[static_cast<size_t>(r)];
    if (head_.softcap != 0) kernels::softcap(logits, head_.softcap, count);
    const float log_sum = kernels::log_sum_exp(logits, count);
    if (log_sum > state.shift) {
      const float shrink = std::exp(state.shift - log_sum);
      kernels::scale(rows_.gradients + r * width(), shrink, width(), rows_.gradients + r * width());
      state.facts.change_shift(state.shift, log_sum, state.sum);
      state.sum *= shrink;
      state.shift = log_sum;
    }
    state.sum += std::exp(log_sum - state.shift);
    const int64_t target = rows_.targets[r] - begin;
    const bool has_target = target >= 0 && target < count;
    if (has_target) state.target_logit = logits[target];
    std::vector<float> capped;
    if (head_.softcap != 0) capped.assign(logits, logits + count);
    if (rows_.facts)
      state.facts.add(logits, state.shift, count);
    else
      kernels::scaled_softmax(logits, state.shift, 1.f, count);
    if (has_target) logits[target] = 0;
    if (head_.softcap != 0) kernels::softcap_slope(capped.data(), head_.softcap, count, logits);
  }

  void finish_row(int64_t r) {
    const RowState& state = states_[static_cast<size_t>(r)];
    const TokenId target = rows_.targets[r];
    float* gradient = rows_.gradients + r * width();
    rows_.values[r] = state.target_logit - (state.shift + std::log(state.sum));
    if (rows_.facts) rows_.facts[r] = state.facts.facts(state.sum, state.target_logit, head_.weight.out());
    kernels::scale(gradient, -1.f / state.sum, width(), gradient);
    float share = -std::expm1(rows_.values[r]);  // 1 - p
    if (head_.softcap != 0) kernels::softcap_slope(&state.target_logit, head_.softcap, 1, &share);
    std::vector<float> weight(static_cast<size_t>(width()));
    const kernels::PackedWeight* packed = head_.weight.packed();
    if (packed && packed->is_bf16()) {
      kernels::unpack_row(*packed, target, weight.data());
    } else {
      head_.weight.dequantize_rows(target, target + 1, weight.data());
    }
    kernels::add_scaled(weight.data(), share, width(), gradient);
  }

  const OutputHead& head_;
  Rows rows_;
  std::vector<RowState> states_;
};

}  // namespace

Logprobs sweep_vocabulary(const Tensor& x, const OutputHead& head, std::span<const TokenId> targets,
                          std::span<TokenFacts> facts) {
  Logprobs result{Tensor({x.rows()}), Tensor::zeros({x.rows(), x.dim(-1)})};
  for (int64_t r = 0; r < x.rows(); r += kRows) {
    const Rows rows = {x.row(r),
                       targets.data() + r,
                       std::min(kRows, x.rows() - r),
                       result.values.data() + r,
                       result.gradients.row(r),
                       facts.empty() ? nullptr : facts.data() + r};
    Sweep(head, rows).run();
  }
  return result;
}

}  // namespace hearth::ops
