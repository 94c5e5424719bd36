// The requests of /v1/chat/completions and /v1/completions as structs, checked: what hearth cannot honour is refused
// and never ignored. Source: OpenAI's API reference, and the extensions of vLLM and llama.cpp under their names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/images/image_reference.h"
#include "server/json_reader.h"
#include "server/output_format.h"

namespace hearth {

using TokenId = int32_t;

// What both kinds of request say about generation. Absent: the model's default.
struct GenerationFields {
  std::optional<int> max_tokens;
  int min_tokens = 0;
  int n = 1;
  std::optional<int64_t> seed;
  std::vector<std::string> stop;  // none empty
  std::vector<TokenId> stop_token_ids;
  bool ignore_eos = false;
  std::optional<float> temperature, top_p, min_p, typical_p, repetition_penalty;
  std::optional<int> top_k;  // 0: off
  float frequency_penalty = 0, presence_penalty = 0;
  std::unordered_map<TokenId, float> logit_bias;
  int top_logprobs = -1;  // -1: none; 0: the token's own; n: the n likeliest too
  std::optional<OutputFormat> format;
  bool stream = false, include_usage = false;
};

// Which of the tools an answer may call, and whether it must.
struct ToolChoice {
  bool required = false;                // the answer is calls, one at least
  std::vector<std::string> names = {};  // only these; empty: all
  bool parallel = true;                 // there may be several
};

// What a chat template renders.
struct ConversationFields {
  nlohmann::ordered_json messages;          // as templates expect them (read_messages)
  std::vector<ImageReference> images = {};  // of all messages, in order
  nlohmann::ordered_json tools;             // array or null; null too where none may be called
  ToolChoice tool_choice = {};
  bool legacy_functions = false;              // "functions" in place of tools: the answer says function_call
  nlohmann::ordered_json template_arguments;  // chat_template_kwargs: object or null
  std::string reasoning_effort = {};          // "none", "low", ...; empty: the template's default
  bool add_generation_prompt = true;
  bool continue_final_message = false;
};

struct ChatRequest {
  std::string model;
  ConversationFields conversation;
  GenerationFields generation;
};

struct CompletionRequest {
  using Prompt = std::variant<std::string, std::vector<TokenId>>;

  std::string model;
  std::vector<Prompt> prompts;  // at least one; an empty one stands for an empty document
  bool echo = false;
  GenerationFields generation;
};

inline constexpr int kMaxTopLogprobs = 20, kMaxChoices = 128, kMaxStopStrings = 16;

// All throw a 400 with the field's path.
ChatRequest read_chat_request(const JsonReader& body);
CompletionRequest read_completion_request(const JsonReader& body);
// messages, tools and what goes with them; for /apply-template too.
ConversationFields read_conversation(const JsonReader& body);
std::vector<TokenId> read_token_ids(const JsonReader& array);

}  // namespace hearth
