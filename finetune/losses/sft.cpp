#include "finetune/losses/sft.h"

#include <algorithm>

#include "runtime/ops/ops.h"

namespace hearth {

Tensor sft_loss(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets, int64_t total_targets,
                float label_smoothing) {
  const auto share = [&](const Tensor& logprobs, double weight) {
    return ops::scale(ops::sum(logprobs), static_cast<float>(-weight / static_cast<double>(total_targets)));
  };
  if (label_smoothing == 0) return share(ops::token_logprobs(hidden, head, targets), 1);
  return ops::add(share(ops::token_logprobs(hidden, head, targets), 1 - label_smoothing),
                  share(ops::mean_logprobs(hidden, head, targets), label_smoothing));
}

}  // namespace hearth
