// The body of POST /v1/responses, checked and translated into the chat request that answers it, so that there is one
// definition of what sampling, tools and formats may be. Source: the openai client's ResponseCreateParams.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/field_names.h"
#include "server/json_reader.h"
#include "server/openai_types.h"
#include "server/stored/answer_store.h"

namespace hearth {

struct ResponseRequest {
  ChatRequest chat;
  std::vector<StoredItem> input;  // the conversation, that of previous_response_id first; without instructions
  bool store = true, background = false;
  nlohmann::ordered_json repeated;  // what the response object repeats of the request, defaults filled in
  FieldNames names;                 // of the chat request's fields
};

// `store` keeps earlier responses of `owner`; null: there are none, and this one is not kept either. Throws a 400 with
// the field's path.
ResponseRequest read_response_request(const JsonReader& body, AnswerStore* store, const std::string& owner);

}  // namespace hearth
