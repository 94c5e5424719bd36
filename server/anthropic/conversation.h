// Anthropic's messages as those of a chat request: one message of a client may be several there (results of tools), and
// several one (turns of the same role, which Anthropic combines).
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/field_names.h"
#include "server/json_reader.h"

namespace hearth::anthropic {

class Conversation {
 public:
  // Throw a 400 with the path of what is wrong.
  void add_system(const JsonReader& system);
  void add_messages(const JsonReader& messages);

  // Sets `messages`, and `continue_final_message` where the last turn is the assistant's.
  void write(nlohmann::ordered_json& chat, FieldNames& names) const;

 private:
  void add_message(const JsonReader& message);
  void add_block(const JsonReader& block, const std::string& role);
  void add_text(const std::string& role, const JsonReader& text);
  void add_tool_use(const JsonReader& block);
  void add_tool_result(const JsonReader& block);
  void add_image(const JsonReader& block);
  void add_result_content(const JsonReader& content, bool is_error);
  nlohmann::ordered_json& turn(const std::string& role, const std::string& path);
  nlohmann::ordered_json& new_turn(const std::string& role, const std::string& path);

  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();
  std::vector<std::string> paths_;  // of each of them: where it begins in the client's body
  std::vector<std::pair<std::string, std::string>> image_names_;  // fields of the chat's images, and the client's
  std::set<std::string> calls_;                                   // ids of tool_use blocks so far
};

}  // namespace hearth::anthropic
