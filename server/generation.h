// Answers to one request: from checked fields to sequences in the engine, and their events as they come. Used by chat
// completions, completions and scores alike: what a reward model answers is the reward of each prompt.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/http_types.h"
#include "server/metrics.h"
#include "server/openai_types.h"
#include "server/served_model.h"
#include "server/text_stream.h"

namespace hearth {

struct GenerationInputs {
  std::vector<std::vector<TokenId>> prompts = {};
  std::vector<PlacedPicture> pictures = {};    // of the prompt, where it is the only one
  std::string prompt_param = {};               // the request's field that holds them, for errors
  bool prompt_logprobs = false;                // a kPrompt event for every answer
  std::shared_ptr<TokenGrammar> grammar = {};  // what every answer must be; null: any text
  std::vector<TokenId> shown_tokens = {};      // control tokens that are part of the text
};

// What a request cost, in tokens.
struct TokenUsage {
  int prompt = 0;      // each prompt once, however many answers it got
  int cached = 0;      // of them, those that were known from earlier requests
  int completion = 0;  // of all answers
  int reasoning = 0;   // of them
};
// OpenAI's "usage" of chat completions and completions.
nlohmann::ordered_json usage_json(const TokenUsage& usage);

class Generation {
 public:
  // Submits every answer (index = prompt * n + j) or none. Throws a 400 context_length_exceeded, a 503
  // server_overloaded with an estimate, or what the engine throws.
  Generation(std::shared_ptr<ServedModel> model, const GenerationFields& fields, GenerationInputs inputs,
             ModelMetrics& metrics, std::chrono::steady_clock::time_point received);

  struct Event {
    size_t index;
    TextEvent event;
  };
  // The next event of any answer; nothing when none came in time or all have finished. Throws what failed: an answer's
  // own error, or kUnavailable when the daemon ended it.
  std::optional<Event> next(std::chrono::milliseconds timeout);
  bool finished() const { return running_ == 0; }
  // Thread-safe; what was cancelled still finishes.
  void cancel();
  // Cancels when the client goes away, for as long as the result lives.
  std::shared_ptr<void> watch(Client* client);

  size_t size() const { return answers_.size(); }
  TokenUsage usage() const;  // complete once finished; `prompt` is known before

 private:
  struct Answer {
    TextStream stream;
    std::chrono::steady_clock::time_point last_text = {};
    bool finished = false;
    int prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  };
  void take(Answer& answer, const TextEvent& event);

  std::shared_ptr<ServedModel> model_;
  ModelMetrics& metrics_;
  std::chrono::steady_clock::time_point received_;
  size_t per_prompt_;
  std::vector<Answer> answers_;
  size_t running_ = 0, turn_ = 0;
  std::atomic<bool> cancelled_{false};
};

// Throws a 400 when one request wants more answers than can run and wait.
void check_answer_count(int64_t answers, const EngineOptions& engine, const std::string& param);
// "stop" or "length".
std::string_view finish_reason_name(FinishReason reason);
// JSON has no minus infinity.
double json_logprob(float logprob);

}  // namespace hearth
