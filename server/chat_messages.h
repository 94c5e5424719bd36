// OpenAI's message objects in every shape that clients send (content as string, parts or null; any role with either) to
// the plain shape that chat templates expect.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "server/images/image_reference.h"
#include "server/json_reader.h"

namespace hearth {

// An array of messages with content as one string (text parts joined by line breaks) and tool calls whose arguments are
// objects. Content with images, of users and tools, is the parts in order, {"type": "text", "text"} and
// {"type": "image"}, and `images` says where they are. Throws a 400 with the path of what is wrong; parts of other
// kinds are unsupported.
nlohmann::ordered_json read_messages(const JsonReader& messages, std::vector<ImageReference>& images);
// Throws a 400 for what is no function of a tool.
void check_function(const JsonReader& function);
// An array of function tools of different names, or null when there are none.
nlohmann::ordered_json read_tools(const JsonReader& tools);

}  // namespace hearth
