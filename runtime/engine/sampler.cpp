#include "runtime/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/kernels/rows.h"

namespace hearth {

Logprobs::Logprobs(std::span<const float> logits) : logits_(logits) {
  const double largest = logits[kernels::argmax(logits.data(), static_cast<int64_t>(logits.size()))];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  log_sum_exp_ = largest + std::log(sum);
}

std::vector<TokenLogprob> Logprobs::top(int n) const {
  const size_t count = std::min(static_cast<size_t>(n), logits_.size());
  std::vector<TokenLogprob> best;  // a heap whose first is the least likely
  const auto likelier = [this](const TokenLogprob& a, const TokenLogprob& b) {
    return logits_[a.id] != logits_[b.id] ? logits_[a.id] > logits_[b.id] : a.id < b.id;
  };
  for (size_t i = 0; i < logits_.size() && count > 0; ++i) {
    if (best.size() == count) {
      if (!(logits_[i] > logits_[best.front().id])) continue;
      std::ranges::pop_heap(best, likelier);
      best.pop_back();
    }
    best.push_back({static_cast<TokenId>(i), of(static_cast<TokenId>(i))});
    std::ranges::push_heap(best, likelier);
  }
  std::ranges::sort_heap(best, likelier);
  return best;
}

Sampler::Sampler(const GenerateRequest& request)
    : params_(request.sampling),
      stop_token_ids_(request.stop_token_ids),
      min_tokens_(request.min_tokens),
      random_(request.sampling.seed) {
  if (params_.repetition_penalty == 1.0f) return;
  for (const TokenId id : request.prompt) {
    if (seen_set_.insert(id).second) seen_.push_back(id);
  }
}

void Sampler::adjust(std::span<float> logits) const {
  for (const TokenId id : seen_)
    logits[id] = logits[id] < 0 ? logits[id] * params_.repetition_penalty : logits[id] / params_.repetition_penalty;
  if (params_.frequency_penalty != 0 || params_.presence_penalty != 0) {
    for (const auto& [id, count] : answer_counts_)
      logits[id] -= static_cast<float>(count) * params_.frequency_penalty + params_.presence_penalty;
  }
  for (const auto& [id, bias] : params_.logit_bias) logits[id] += bias;
  if (drawn_ < min_tokens_) {
    for (const TokenId id : stop_token_ids_) logits[id] = -std::numeric_limits<float>::infinity();
  }
}

// The top_k largest and their equals, largest first.
void Sampler::keep_top_k(std::span<const float> logits) {
  const size_t k = static_cast<size_t>(params_.top_k);
  const auto larger = [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; };
  std::vector<float> heap;  // the k largest so far, the least of them first
  heap.reserve(k + 1);
  for (const float logit : logits) {
    if (heap.size() == k && !(logit > heap.front())) continue;
    heap.push_back(logit);
    std::ranges::push_heap(heap, std::greater<>());
    if (heap.size() > k) {
      std::ranges::pop_heap(heap, std::greater<>());
      heap.pop_back();
    }
  }
  const float least = heap.front();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least) candidates_.push_back({logits[i], static_cast<TokenId>(i)});
  }
  std::ranges::stable_sort(candidates_, larger);
}

void Sampler::keep_all(std::span<const float> logits) {
  candidates_.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates_.push_back({logits[i], static_cast<TokenId>(i)});
}

// probabilities_ = softmax of the candidates' logits
void Sampler::to_probabilities() {
  float largest = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.logit);
  probabilities_.resize(candidates_.size());
  double sum = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) sum += probabilities_[i] = std::exp(candidates_[i].logit - largest);
  for (double& p : probabilities_) p /= sum;
}

// The smallest set of likeliest tokens with at least top_p of the mass.
void Sampler::keep_nucleus() {
  to_probabilities();
  // Tokens below this have together less than 1 - top_p, so none of them belongs to the nucleus: only the others are
  // sorted.
  const double least = (1.0 - static_cast<double>(params_.top_p)) / static_cast<double>(candidates_.size());
  std::vector<size_t> order;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (probabilities_[i] >= least) order.push_back(i);
  }
  std::ranges::stable_sort(order, [this](size_t a, size_t b) { return probabilities_[a] > probabilities_[b]; });
  std::vector<Candidate> kept;
  double mass = 0;
  for (const size_t i : order) {
    kept.push_back(candidates_[i]);
    if ((mass += probabilities_[i]) >= static_cast<double>(params_.top_p)) break;
  }
  candidates_ = std::move(kept);
}

void Sampler::keep_min_p() {
  to_probabilities();
  const double least = *std::ranges::max_element(probabilities_) * static_cast<double>(params_.min_p);
  size_t kept = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (probabilities_[i] >= least) candidates_[kept++] = candidates_[i];
  }
  candidates_.resize(kept);
}

// Locally typical sampling (arXiv 2202.00666): the tokens whose information is nearest to the entropy, until they hold
// typical_p of the mass.
void Sampler::keep_typical() {
  to_probabilities();
  double entropy = 0;
  for (const double p : probabilities_) {
    if (p > 0) entropy -= p * std::log(p);
  }
  std::vector<double> distance(candidates_.size());
  for (size_t i = 0; i < candidates_.size(); ++i) {
    distance[i] = probabilities_[i] > 0 ? std::abs(-std::log(probabilities_[i]) - entropy)
                                        : std::numeric_limits<double>::infinity();
  }
  std::vector<size_t> order(candidates_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return distance[a] < distance[b]; });
  std::vector<Candidate> kept;
  double mass = 0;
  for (const size_t i : order) {
    kept.push_back(candidates_[i]);
    if ((mass += probabilities_[i]) >= static_cast<double>(params_.typical_p)) break;
  }
  candidates_ = std::move(kept);
}

TokenId Sampler::pick() {
  to_probabilities();
  double left = random_.uniform();
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if ((left -= probabilities_[i]) < 0) return candidates_[i].id;
  }
  return candidates_[static_cast<size_t>(std::ranges::max_element(probabilities_) - probabilities_.begin())].id;
}

TokenId Sampler::draw(std::span<float> logits) {
  adjust(logits);
  TokenId id = 0;
  if (params_.temperature == 0) {
    id = static_cast<TokenId>(kernels::argmax(logits.data(), static_cast<int64_t>(logits.size())));
  } else {
    candidates_.clear();
    if (params_.top_k > 0 && static_cast<size_t>(params_.top_k) < logits.size()) {
      keep_top_k(logits);
    } else {
      keep_all(logits);
    }
    for (Candidate& candidate : candidates_) candidate.logit /= params_.temperature;
    if (params_.top_p < 1) keep_nucleus();
    if (params_.min_p > 0) keep_min_p();
    if (params_.typical_p < 1) keep_typical();
    id = pick();
  }
  ++drawn_;
  ++answer_counts_[id];
  if (params_.repetition_penalty != 1.0f && seen_set_.insert(id).second) seen_.push_back(id);
  return id;
}

}  // namespace hearth
