#include "runtime/engine/logprobs.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/error.h"
#include "runtime/kernels/rows.h"

namespace hearth {
namespace {

bool likelier(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
}

// By logit, likeliest first.
std::vector<TokenLogprob> largest(std::span<const float> logits, size_t count) {
  std::vector<TokenLogprob> heap;  // the worst of the best in front
  heap.reserve(count);
  for (size_t i = 0; i < logits.size(); ++i) {
    const TokenLogprob token{static_cast<TokenId>(i), logits[i]};
    if (heap.size() < count) {
      heap.push_back(token);
      std::push_heap(heap.begin(), heap.end(), likelier);
    } else if (token.logprob > heap.front().logprob) {  // an equal one has a larger id
      std::pop_heap(heap.begin(), heap.end(), likelier);
      heap.back() = token;
      std::push_heap(heap.begin(), heap.end(), likelier);
    }
  }
  std::sort_heap(heap.begin(), heap.end(), likelier);
  return heap;
}

}  // namespace

TokenOutput describe(std::span<const float> logits, TokenId id, int top, std::span<const TokenId> also) {
  const float log_sum = kernels::log_sum_exp(logits.data(), static_cast<int64_t>(logits.size()));
  if (std::isnan(log_sum)) throw internal_error("no log-probabilities: a logit is not a number");
  TokenOutput output;
  output.id = id;
  output.logprob = logits[id] - log_sum;
  if (top > 0) output.top = largest(logits, std::min(static_cast<size_t>(top), logits.size()));
  for (const TokenId other : also) output.top.push_back({other, logits[other]});
  for (TokenLogprob& token : output.top) token.logprob -= log_sum;
  return output;
}

}  // namespace hearth
