// Bodies of Anthropic's POST /v1/messages and /v1/messages/count_tokens as bodies of chat requests, so that there is
// one definition of what is checked. What only Anthropic has is checked here. Source: Anthropic's API reference,
// "Create a Message"; min_p and seed are hearth's.
#pragma once

#include "server/field_names.h"
#include "server/json_reader.h"
#include "server/openai_types.h"

namespace hearth::anthropic {

struct MessageRequest {
  ChatRequest chat;
  FieldNames names;  // for what may still be refused
};

// Both throw a 400 with the path of Anthropic's field.
MessageRequest read_message_request(const JsonReader& body);
// Without max_tokens and what else is about the answer.
MessageRequest read_count_request(const JsonReader& body);

}  // namespace hearth::anthropic
