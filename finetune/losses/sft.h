// Supervised fine-tuning: the mean negative log-probability of the targets. Source: transformers' ForCausalLMLoss, and
// its LabelSmoother.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/batch.h"
#include "runtime/output_head.h"
#include "runtime/tensor.h"

namespace hearth {

// -sum over targets of log p(target) / total_targets, where `total_targets` are those of all batches that are
// accumulated. With label smoothing e: (1 - e) of that and e of the mean over the vocabulary.
// hidden [tokens, hidden_size], targets [tokens], -1: none -> [1]
Tensor sft_loss(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets, int64_t total_targets,
                float label_smoothing = 0);

}  // namespace hearth
