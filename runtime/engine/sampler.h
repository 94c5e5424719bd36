// Draws the next token from a row of logits. Order and rules are transformers' (generation/logits_process.py):
// repetition penalty, temperature, top_k, top_p, min_p, typical_p; OpenAI's frequency and presence penalties and
// logit_bias follow the repetition penalty. Random numbers come from the seed and the number of tokens drawn before,
// and nothing else, so a request's tokens do not depend on what runs beside it.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/engine/request.h"

namespace hearth {

// Every token of prompt and answer, with its number in the answer.
using TokenCounts = std::unordered_map<TokenId, int>;

class Sampler {
 public:
  struct Request {
    const SamplingParams& params;
    const TokenCounts& counts;
    std::span<const TokenId> banned;  // not to be drawn; ids outside the vocabulary are ignored
    uint64_t drawn = 0;               // tokens of the answer so far
    // As TokenConstraint::allowed; empty: all are. Those of allowed_too are beside them.
    std::span<const uint64_t> allowed = {};
    std::span<const TokenId> allowed_too = {};
  };

  // Throws kInvalidArgument for a value outside its range.
  static void check(const SamplingParams& params, int64_t vocab_size);
  static bool uses_counts(const SamplingParams& params);

  // logits [vocab_size]. Equal logits: the lowest id goes first. Throws kInternal when they are not numbers, or all
  // tokens are banned.
  TokenId draw(std::span<const float> logits, const Request& request);

 private:
  struct Candidate {
    float probability;  // at first only up to a factor
    float key;          // orders them, smallest first; then by id
    TokenId id;
    bool operator<(const Candidate& other) const { return key != other.key ? key < other.key : id < other.id; }
  };

  std::span<const float> adjust(std::span<const float> logits, const Request& request);
  void keep_allowed(const Request& request);
  void scale(std::span<const float> logits, float top, float temperature);
  float kth_largest(int k);
  void take_top_k(int k);
  void take_likely(const SamplingParams& params);
  void normalise();
  void cut_top_p(float top_p);
  void cut_min_p(float min_p);
  void cut_typical_p(float typical_p);
  size_t smallest_prefix(double mass);

  std::vector<float> row_;  // [vocab_size], reused
  std::vector<float> heap_;
  std::vector<Candidate> candidates_;
};

}  // namespace hearth
