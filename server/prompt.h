// From a conversation to the token ids that a model reads.
#pragma once

#include <string>
#include <vector>

#include "runtime/picture.h"
#include "server/openai_types.h"
#include "server/served_model.h"

namespace hearth {

class App;

struct ConversationPrompt {
  std::string text;  // what the model reads, control tokens as the vocabulary spells them
  std::vector<TokenId> token_ids;
  std::vector<PlacedPicture> pictures = {};
};

// By the named template, else by the checkpoint's own. Throws a 400 for a model without one and for what the template
// itself refuses, for images to a model that reads text only, and for those that are not to be had or cannot be
// decoded. Control tokens in what users and tools wrote are text.
ConversationPrompt prompt_of(const ServedModel& model, const ConversationFields& conversation, App& app);
// With the tokenizer's own special tokens around it; never empty: an empty document is what the model starts with.
std::vector<TokenId> encode_completion_prompt(const ServedModel& model, const std::string& text);

}  // namespace hearth
