// What Anthropic's clients get: a message of blocks, why it ended, and what it cost.
#pragma once

#include <string>
#include <vector>

#include "server/chat_answers.h"

namespace hearth::anthropic {

// Blocks that nothing has been written into yet.
nlohmann::ordered_json thinking_block();
nlohmann::ordered_json text_block();
nlohmann::ordered_json tool_use_block(const std::string& id, const std::string& name);

// thinking, text and tool_use, as far as there are any.
nlohmann::ordered_json content_of(const ChatMessage& message);

// {"stop_reason", "stop_sequence"}. Stop strings that are none of the request's `stop_sequences` are the model's own
// way to end a turn.
nlohmann::ordered_json stop_of(std::string_view finish_reason, const std::string& stop,
                               const std::vector<std::string>& stop_sequences);

// input_tokens are those that were not cached.
nlohmann::ordered_json usage_of(const TokenUsage& usage);

// A message without content, stop_reason and stop_sequence.
nlohmann::ordered_json new_message(const ServedModel& model, const TokenUsage& usage);

}  // namespace hearth::anthropic
