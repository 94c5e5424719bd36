// The items of a conversation in OpenAI's responses API: read from a request, and written as the messages of a chat.
// Source: the openai client's types/responses (ResponseInputItem, ResponseItem).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/field_names.h"
#include "server/json_reader.h"
#include "server/stored/answer_store.h"

namespace hearth {

// An item and the field of the request that it comes from, "input[2]".
struct InputItem {
  StoredItem stored;
  std::string path;
};

// A text, or items: messages, function_call, function_call_output, reasoning, item_reference. In the shape in which
// they are kept: with an id and a status, content as parts. `find` looks an item up that is stored. Throws a 400 with
// the field's path.
std::vector<InputItem> read_input_items(const JsonReader& input,
                                        const std::function<std::optional<StoredItem>(const std::string& id)>& find);

// As /v1/chat/completions takes them: what the assistant reasoned, said and called before the next turn is one message.
// Reasoning that nothing follows is left out. `names` gets where each message comes from.
nlohmann::ordered_json chat_messages(const std::vector<InputItem>& items, const std::string& instructions,
                                     FieldNames& names);

}  // namespace hearth
