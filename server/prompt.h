// From a conversation to the token ids that a model reads.
#pragma once

#include <vector>

#include "server/openai_types.h"
#include "server/served_model.h"

namespace hearth {

// Throws a 400 for a model without a chat template and for what the template itself refuses.
RenderedPrompt render_conversation(const ServedModel& model, const ConversationFields& conversation);
// Control tokens in what users and tools wrote are text.
std::vector<TokenId> encode_conversation(const ServedModel& model, const ConversationFields& conversation);
// With the tokenizer's own special tokens around it; never empty: an empty document is what the model starts with.
std::vector<TokenId> encode_completion_prompt(const ServedModel& model, const std::string& text);

}  // namespace hearth
