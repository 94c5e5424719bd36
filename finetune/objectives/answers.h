// What a model says of the answers of a batch, one a segment.
#pragma once

#include <span>
#include <vector>

#include "finetune/objectives/collator.h"
#include "runtime/ops/ops.h"
#include "runtime/tensor.h"

namespace hearth {

// Rows of the batch whose successors are the answer's tokens, in order.
using AnswerRows = std::vector<int>;
std::vector<AnswerRows> answer_rows(const TrainingBatch& batch);

// logprobs [tokens]
double sum_over(const AnswerRows& rows, const Tensor& logprobs);

// What is logged of the tokens of several answers.
struct TokenMeans {
  double entropy = 0, mean_logit = 0;
  double accuracy = 0;  // how often the likeliest token is the answer's
  int64_t tokens = 0;
};
TokenMeans token_means(std::span<const AnswerRows> answers, std::span<const ops::TokenFacts> facts);

}  // namespace hearth
