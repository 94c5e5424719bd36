// Log-probabilities of targets together with their gradients in one pass over the vocabulary, as fused linear
// cross-entropy does (arXiv 2410.10989) with the running softmax of flash attention (arXiv 2205.14135): logits of a
// block of the vocabulary are made once, used for both and forgotten.
#pragma once

#include <span>

#include "runtime/batch.h"
#include "runtime/ops/ops.h"
#include "runtime/output_head.h"
#include "runtime/tensor.h"

namespace hearth::ops {

struct Logprobs {
  Tensor values;     // [rows]
  Tensor gradients;  // [rows, hidden_size], of each value to its row of x: W[target] - sum over v of p_v W_v
};

// x [rows, hidden_size]; every target is an id; facts [rows] or empty
Logprobs sweep_vocabulary(const Tensor& x, const OutputHead& head, std::span<const TokenId> targets,
                          std::span<TokenFacts> facts = {});

}  // namespace hearth::ops
