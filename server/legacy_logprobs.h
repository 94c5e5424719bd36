// The log-probabilities of /v1/completions: four parallel arrays. The number of a token equals its entry in
// top_logprobs to the bit, which is how evaluation harnesses tell whether it was the likeliest.
#pragma once

#include <optional>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "server/text_stream.h"

namespace hearth {

class LegacyLogprobs {
 public:
  // `text_offset` in characters.
  void add(const TokenText& token, std::span<const TokenText> top, size_t text_offset);
  // The first token of a prompt has no probability.
  void add_first(const TokenText& token, size_t text_offset);
  nlohmann::ordered_json json() const;

 private:
  nlohmann::ordered_json tokens_ = nlohmann::ordered_json::array(), token_logprobs_ = nlohmann::ordered_json::array(),
                         top_logprobs_ = nlohmann::ordered_json::array(),
                         text_offsets_ = nlohmann::ordered_json::array();
};

// What a prompt adds to an answer that repeats it.
struct EchoedPrompt {
  std::string text;
  size_t characters = 0;
  std::vector<TokenText> tokens;
  std::vector<size_t> text_offsets;  // of the tokens, in characters
};

// `text`: the prompt as it was given, if it was a string; ids are shown as they decode.
EchoedPrompt echo_prompt(const std::shared_ptr<const Tokenizer>& tokenizer, std::span<const TokenId> ids,
                         const std::string* text);

}  // namespace hearth
