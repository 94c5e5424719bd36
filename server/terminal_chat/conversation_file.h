// A conversation as a JSON file, the one that the web page exports and imports too:
//   {"format": "hearth.conversation", "version": 1, "title", "model", "system", "messages": [{"role", "content"}]}
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace hearth {

struct Conversation {
  std::string title, model, system;
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();  // of user and assistant, their content a text

  // The title, or the beginning of the first message.
  std::string title_or_beginning() const;
};

// Takes messages alone too, and requests of the HTTP API; a system message may stand first among them. Throws
// kInvalidArgument with the message that is wrong, and what read_file throws.
Conversation read_conversation(const std::filesystem::path& path);

// Throws kInvalidArgument for a file that is there and is no conversation, and what writing throws.
void write_conversation(const Conversation& conversation, const std::filesystem::path& path);

}  // namespace hearth
