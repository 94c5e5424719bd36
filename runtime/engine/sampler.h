// Draws a token from logits. Rules and their order are transformers' (repetition penalty; then temperature, top_k,
// top_p, min_p, typical_p) with OpenAI's frequency_penalty, presence_penalty and logit_bias after the repetition
// penalty. The same seed gives the same tokens, whatever else the batch holds.
#pragma once

#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/engine/request.h"

namespace hearth {

// The numbers of one row of logits: log softmax by a log-sum-exp in double precision.
class Logprobs {
 public:
  explicit Logprobs(std::span<const float> logits);
  float of(TokenId id) const { return static_cast<float>(logits_[id] - log_sum_exp_); }
  // The n likeliest, likeliest first; of equals the lower id first.
  std::vector<TokenLogprob> top(int n) const;

 private:
  std::span<const float> logits_;
  double log_sum_exp_;
};

class Sampler {
 public:
  explicit Sampler(const GenerateRequest& request);

  // Draws from `logits` [vocab_size], which is changed: penalties, bias and tokens forbidden before min_tokens are
  // applied in place.
  TokenId draw(std::span<float> logits);

 private:
  struct Candidate {
    float logit;
    TokenId id;
  };
  void adjust(std::span<float> logits) const;
  void keep_top_k(std::span<const float> logits);
  void keep_all(std::span<const float> logits);
  void keep_nucleus();
  void keep_min_p();
  void keep_typical();
  void to_probabilities();
  TokenId pick();

  SamplingParams params_;
  std::vector<TokenId> stop_token_ids_;
  int min_tokens_;
  int drawn_ = 0;
  Random random_;
  std::unordered_map<TokenId, int> answer_counts_;  // of drawn tokens
  std::vector<TokenId> seen_;  // distinct ids of prompt and answer, while a repetition penalty is on
  std::unordered_set<TokenId> seen_set_;
  std::vector<Candidate> candidates_;
  std::vector<double> probabilities_;  // of candidates_
};

}  // namespace hearth
