#include "runtime/engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/base/error.h"
#include "runtime/base/random.h"
#include "runtime/kernels/rows.h"

namespace hearth {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool adjusts(const SamplingParams& p) {
  return p.repetition_penalty != 1 || p.frequency_penalty != 0 || p.presence_penalty != 0 || !p.logit_bias.empty();
}

// [0, 1)
double uniform(uint64_t seed, uint64_t draw) {
  // The seed is mixed first: neighbouring seeds would otherwise give shifted copies of one stream.
  return Random(Random(seed).next() + draw).uniform();
}

// The index whose share of [0, sum) holds `at`, with at in [0, 1).
template <class Weights>
size_t pick(size_t n, double at, Weights weight) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += weight(i);
  double left = at * sum;
  size_t last = 0;  // with a share: rounding may leave `left` a little above the last one's end
  for (size_t i = 0; i < n; ++i) {
    const double w = weight(i);
    if (w <= 0) continue;
    if (left < w) return i;
    left -= w;
    last = i;
  }
  return last;
}

// A bound that no probability among the fewest that reach `mass` is below, found without sorting: the mass of each
// power of two, summed from the top.
float least_in_nucleus(std::span<const float> probabilities, double mass) {
  constexpr int kMantissaBits = 23, kPowers = 256;
  constexpr double kMargin = 1e-5;  // the caller's sums are rounded otherwise
  std::array<double, kPowers> masses{};
  for (const float p : probabilities) masses[std::bit_cast<uint32_t>(p) >> kMantissaBits & (kPowers - 1)] += p;
  uint32_t power = kPowers - 1;
  for (double sum = masses[power]; power > 0 && sum < mass + kMargin; sum += masses[power]) --power;
  return std::bit_cast<float>(power << kMantissaBits);
}

void require_range(const char* name, float value, float low, float high) {
  if (!(value >= low && value <= high))
    throw invalid_argument("{} is {}, must be from {} to {}", name, value, low, high);
}

}  // namespace

void Sampler::check(const SamplingParams& p, int64_t vocab_size) {
  constexpr float kMost = std::numeric_limits<float>::max();
  require_range("temperature", p.temperature, 0, kMost);
  require_range("top_p", p.top_p, 0, 1);
  require_range("min_p", p.min_p, 0, 1);
  require_range("typical_p", p.typical_p, 0, 1);
  require_range("frequency_penalty", p.frequency_penalty, -kMost, kMost);
  require_range("presence_penalty", p.presence_penalty, -kMost, kMost);
  if (p.top_k < 0) throw invalid_argument("top_k is {}, must be at least 0 (0: off)", p.top_k);
  if (!(p.repetition_penalty > 0 && p.repetition_penalty <= kMost))
    throw invalid_argument("repetition_penalty is {}, must be above 0 (1: off)", p.repetition_penalty);
  for (const auto& [id, bias] : p.logit_bias) {
    if (id < 0 || id >= vocab_size)
      throw invalid_argument("logit_bias: token id {} is not in the vocabulary of {}", id, vocab_size);
    require_range("logit_bias", bias, -kMost, kMost);
  }
}

bool Sampler::uses_counts(const SamplingParams& p) {
  return p.repetition_penalty != 1 || p.frequency_penalty != 0 || p.presence_penalty != 0;
}

TokenId Sampler::draw(std::span<const float> logits, const Request& request) {
  const SamplingParams& p = request.params;
  const std::span<const float> adjusted = adjust(logits, request);
  const auto n = static_cast<int64_t>(adjusted.size());
  const int64_t best = kernels::argmax(adjusted.data(), n);
  const float top = adjusted[best];
  if (!std::isfinite(top)) throw internal_error("no token can be drawn: the largest logit is {}", top);
  if (p.temperature == 0) return static_cast<TokenId>(best);

  scale(adjusted, top, p.temperature);
  const double at = uniform(p.seed, request.drawn);
  if (p.top_k > 0 && p.top_k < n) {
    take_top_k(p.top_k);
  } else {
    kernels::scaled_softmax(row_.data(), kernels::log_sum_exp(row_.data(), n), 1, n);
    if (p.top_p >= 1 && p.min_p <= 0 && p.typical_p >= 1)
      return static_cast<TokenId>(pick(row_.size(), at, [&](size_t i) { return row_[i]; }));
    take_likely(p);
  }
  if (p.top_p < 1) cut_top_p(p.top_p);
  if (p.min_p > 0) cut_min_p(p.min_p);
  if (p.typical_p < 1) cut_typical_p(p.typical_p);
  return candidates_[pick(candidates_.size(), at, [&](size_t i) { return candidates_[i].probability; })].id;
}

// The logits themselves where there is nothing to change, else row_.
std::span<const float> Sampler::adjust(std::span<const float> logits, const Request& request) {
  const SamplingParams& p = request.params;
  if (!adjusts(p) && request.banned.empty() && request.allowed.empty()) return logits;
  row_.assign(logits.begin(), logits.end());
  for (const auto& [id, in_answer] : request.counts) {
    float& x = row_[id];
    x = x < 0 ? x * p.repetition_penalty : x / p.repetition_penalty;
    if (in_answer > 0) x -= static_cast<float>(in_answer) * p.frequency_penalty + p.presence_penalty;
  }
  for (const auto& [id, bias] : p.logit_bias) row_[id] += bias;
  for (const TokenId id : request.banned)
    if (id >= 0 && id < static_cast<int64_t>(row_.size())) row_[id] = -kInfinity;
  if (!request.allowed.empty()) keep_allowed(request);
  return row_;
}

void Sampler::keep_allowed(const Request& request) {
  constexpr size_t kBits = 64;
  std::vector<std::pair<TokenId, float>> kept;
  for (const TokenId id : request.allowed_too)
    if (id >= 0 && id < static_cast<int64_t>(row_.size())) kept.emplace_back(id, row_[id]);
  for (size_t i = 0; i < row_.size(); i += kBits) {
    const uint64_t word = i / kBits < request.allowed.size() ? request.allowed[i / kBits] : 0;
    const size_t end = std::min(i + kBits, row_.size());
    if (word == 0) {
      std::fill(row_.begin() + static_cast<ptrdiff_t>(i), row_.begin() + static_cast<ptrdiff_t>(end), -kInfinity);
    } else if (~word != 0) {
      for (size_t t = i; t < end; ++t)
        if (!(word >> (t - i) & 1)) row_[t] = -kInfinity;
    }
  }
  for (const auto& [id, logit] : kept) row_[id] = logit;
}

// row_ = (logits - top) / temperature: at most 0, so nothing overflows however small the temperature. The logits may be
// row_ itself.
void Sampler::scale(std::span<const float> logits, float top, float temperature) {
  row_.resize(logits.size());
  int not_numbers = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    row_[i] = (logits[i] - top) / temperature;
    not_numbers += row_[i] != row_[i];
  }
  if (not_numbers) throw internal_error("no token can be drawn: {} logits are not numbers", not_numbers);
}

float Sampler::kth_largest(int k) {
  constexpr int kLargestHeap = 2048;  // beyond it selection is faster
  const auto size = static_cast<int>(row_.size());
  if (k > kLargestHeap) {
    heap_ = row_;
    std::nth_element(heap_.begin(), heap_.begin() + (k - 1), heap_.end(), std::greater<>());
    return heap_[k - 1];
  }
  heap_.assign(row_.begin(), row_.begin() + k);
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  for (int i = k; i < size; ++i) {
    if (row_[i] <= heap_.front()) continue;
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.back() = row_[i];
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  return heap_.front();
}

// Candidates: all that are not below the k-th largest, so ties may make them more than k.
void Sampler::take_top_k(int k) {
  const float least = kth_largest(k);
  candidates_.clear();
  for (size_t i = 0; i < row_.size(); ++i)
    if (row_[i] >= least) candidates_.push_back({std::exp(row_[i]), 0, static_cast<TokenId>(i)});
  normalise();
}

// Candidates: all of row_, which holds probabilities, but for those that top_p or min_p is certain to remove.
void Sampler::take_likely(const SamplingParams& p) {
  float least = p.top_p < 1 ? least_in_nucleus(row_, p.top_p) : 0;
  // Half of the bound leaves room for rounding.
  if (p.min_p > 0) least = std::max(least, 0.5f * p.min_p * *std::max_element(row_.begin(), row_.end()));
  candidates_.clear();
  for (size_t i = 0; i < row_.size(); ++i)
    if (row_[i] >= least && row_[i] > 0) candidates_.push_back({row_[i], 0, static_cast<TokenId>(i)});
}

void Sampler::normalise() {
  double sum = 0;
  for (const Candidate& c : candidates_) sum += c.probability;
  for (Candidate& c : candidates_) c.probability = static_cast<float>(c.probability / sum);
}

void Sampler::cut_top_p(float top_p) {
  for (Candidate& c : candidates_) c.key = -c.probability;
  candidates_.resize(smallest_prefix(top_p));
}

void Sampler::cut_min_p(float min_p) {
  float top = 0;
  for (const Candidate& c : candidates_) top = std::max(top, c.probability);
  std::erase_if(candidates_, [&](const Candidate& c) { return c.probability < min_p * top; });
}

// Locally typical sampling (arXiv 2202.00666): the tokens whose information is nearest to the entropy.
void Sampler::cut_typical_p(float typical_p) {
  normalise();
  double entropy = 0;
  for (const Candidate& c : candidates_)
    if (c.probability > 0) entropy -= c.probability * std::log(static_cast<double>(c.probability));
  for (Candidate& c : candidates_)
    c.key = static_cast<float>(std::abs(-std::log(static_cast<double>(c.probability)) - entropy));
  const size_t count = smallest_prefix(typical_p);
  const float largest = candidates_[count - 1].key;
  const auto end = std::partition(candidates_.begin() + static_cast<int64_t>(count), candidates_.end(),
                                  [&](const Candidate& c) { return c.key <= largest; });
  candidates_.erase(end, candidates_.end());
}

// Puts the fewest candidates whose probabilities reach `mass` first, the one with the largest key last of them, and
// returns their number, at least 1. Halves by selection, so the time is linear in the number of candidates.
size_t Sampler::smallest_prefix(double mass) {
  constexpr size_t kSmall = 32;
  size_t begin = 0, end = candidates_.size();
  double before = 0;
  while (end - begin > kSmall) {
    const size_t middle = begin + (end - begin) / 2;
    const auto at = [&](size_t i) { return candidates_.begin() + static_cast<int64_t>(i); };
    std::nth_element(at(begin), at(middle), at(end));
    double lower = 0;
    for (size_t i = begin; i < middle; ++i) lower += candidates_[i].probability;
    if (before + lower < mass) {
      before += lower;
      begin = middle;
    } else {
      end = middle;
    }
  }
  std::sort(candidates_.begin() + static_cast<int64_t>(begin), candidates_.begin() + static_cast<int64_t>(end));
  while (begin < end && (begin == 0 || before < mass)) before += candidates_[begin++].probability;
  return begin;
}

}  // namespace hearth
