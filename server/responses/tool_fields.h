// tools and tool_choice of the responses API, which write a function flat where the chat API has it in an object of its
// own. Each is put into `chat` as the chat API has it, `names` gets where its fields come from, and what the response
// object repeats is returned. They throw a 400 with the field's path; tools that are no functions are unsupported.
#pragma once

#include <nlohmann/json.hpp>

#include "server/field_names.h"
#include "server/json_reader.h"

namespace hearth {

nlohmann::ordered_json read_response_tools(const JsonReader& tools, nlohmann::ordered_json& chat, FieldNames& names);
nlohmann::ordered_json read_response_tool_choice(const JsonReader& choice, nlohmann::ordered_json& chat,
                                                 FieldNames& names);

}  // namespace hearth
