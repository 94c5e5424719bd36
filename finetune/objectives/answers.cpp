#include "finetune/objectives/answers.h"

namespace hearth {

std::vector<AnswerRows> answer_rows(const TrainingBatch& batch) {
  std::vector<AnswerRows> answers;
  for (const Segment& segment : batch.batch.segments) {
    AnswerRows& rows = answers.emplace_back();
    for (int r = segment.begin; r < segment.end; ++r)
      if (batch.targets[r] >= 0) rows.push_back(r);
  }
  return answers;
}

double sum_over(const AnswerRows& rows, const Tensor& logprobs) {
  double sum = 0;
  for (const int r : rows) sum += logprobs.data()[r];
  return sum;
}

TokenMeans token_means(std::span<const AnswerRows> answers, std::span<const ops::TokenFacts> facts) {
  TokenMeans means;
  for (const AnswerRows& rows : answers) {
    for (const int r : rows) {
      means.entropy += facts[r].entropy;
      means.mean_logit += facts[r].mean_logit;
      means.accuracy += facts[r].is_likeliest;
    }
    means.tokens += static_cast<int64_t>(rows.size());
  }
  if (means.tokens == 0) return means;
  for (double* mean : {&means.entropy, &means.mean_logit, &means.accuracy}) *mean /= static_cast<double>(means.tokens);
  return means;
}

}  // namespace hearth
