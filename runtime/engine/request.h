// What a client of the engine asks for and what it gets back. Token ids only: text, templates and stop strings are the
// caller's business.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/adapter.h"
#include "runtime/batch.h"
#include "runtime/picture.h"
#include "runtime/token_constraint.h"
#include "runtime/value_head.h"

namespace hearth {

// Names and meaning as in OpenAI's API and transformers' generation config.
struct SamplingParams {
  float temperature = 1.0f;  // 0: greedy
  float top_p = 1.0f;
  int top_k = 0;  // 0: off
  float min_p = 0.0f;
  float typical_p = 1.0f;
  float repetition_penalty = 1.0f;  // over prompt and answer, transformers' rule
  float frequency_penalty = 0.0f;   // over the answer, OpenAI's rule
  float presence_penalty = 0.0f;
  std::unordered_map<TokenId, float> logit_bias = {};
  uint64_t seed = 0;
};

struct GenerateRequest {
  std::vector<TokenId> prompt;  // not empty, every id below the vocabulary's size
  // In the order of their rows, which have any ids of the vocabulary's in the prompt. Not with prompt_logprobs.
  std::vector<PlacedPicture> pictures = {};
  int max_tokens = 16;  // 0: only score the prompt
  int min_tokens = 0;   // stop tokens are not drawn before
  std::vector<TokenId> stop_token_ids;
  SamplingParams sampling;
  std::shared_ptr<const Adapter> adapter = {};  // of the engine's model, no longer changed; null: the model alone
  int top_logprobs = -1;                        // -1: no logprobs; 0: the token's own; n: also the n likeliest
  // With top_logprobs: each token of the answer also gets those of these, in this order, behind the likeliest.
  std::vector<TokenId> logprob_ids = {};
  bool prompt_logprobs = false;  // the same for every prompt token after the first
  // The engine's thread alone reads it. Not null: the whole prompt's reward is wanted; with max_tokens 0 only.
  std::shared_ptr<ValueHead> value_head = {};
  // One of its own for each request. The answer ends as soon as nothing may follow; stop_token_ids end it where it may
  // end, and min_tokens does not count. Null: any text.
  std::shared_ptr<TokenConstraint> constraint = {};
};

struct TokenLogprob {
  TokenId id;
  float logprob;
};

struct TokenOutput {
  TokenId id = 0;
  // Under the model's own distribution (before penalties and temperature); set when logprobs were asked for.
  float logprob = 0;
  std::vector<TokenLogprob>
      top;  // likeliest first, then logprob_ids; a token's number here equals the one above to the bit
};

enum class FinishReason { kStop, kLength, kCancelled, kError };

// In this order: prompt (once, when its logprobs were asked for, and always before the first token), tokens, finished
// (once, last).
struct StreamEvent {
  enum class Kind { kPrompt, kToken, kFinished } kind = Kind::kToken;
  std::vector<TokenOutput> prompt;                   // kPrompt: one for every prompt token but the first
  TokenOutput token;                                 // kToken: stop tokens are not delivered
  FinishReason finish_reason = FinishReason::kStop;  // kFinished
  std::string error;                                 // kFinished with kError: one line
  int prompt_tokens = 0, cached_tokens = 0;          // kFinished: for usage
  int completion_tokens = 0;                         // kFinished: tokens drawn, a stop token included
  float reward = 0;                                  // kFinished with kLength: of a request with a value head
  double queue_seconds = 0;                          // kFinished: from submit to the first step
  std::chrono::steady_clock::time_point time{};      // of the push: for the times to first token and between tokens
};

}  // namespace hearth
