// Log-probabilities a chunk of rows at a time, for what the one pass of vocabulary_sweep.h does not do: the mean over
// the vocabulary (label smoothing), and a head that is trained. The backward pass makes the logits again.
#pragma once

#include <span>

#include "runtime/batch.h"
#include "runtime/ops/ops.h"
#include "runtime/output_head.h"
#include "runtime/tensor.h"

namespace hearth::ops {

enum class LogprobOf {
  kTarget,
  kVocabulary,  // the mean of all of them
};

// Of rows with a target (not negative); 0 in the others. `facts` [tokens], or empty, of kTarget alone.
// hidden [tokens, hidden_size] -> [tokens]
Tensor chunked_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets, LogprobOf of,
                        std::span<TokenFacts> facts = {});

}  // namespace hearth::ops
