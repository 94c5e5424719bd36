// Tokens with their log-probabilities as OpenAI's chat completions and responses show them.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "server/text_stream.h"

namespace hearth {

// [{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}]
nlohmann::ordered_json logprobs_json(const std::vector<TextLogprob>& tokens);

}  // namespace hearth
