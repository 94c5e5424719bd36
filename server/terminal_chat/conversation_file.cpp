#include "server/terminal_chat/conversation_file.h"

#include <string_view>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "hearth.conversation";
constexpr int kVersion = 1;
constexpr size_t kTitleBytes = 60;

std::string string_at(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void check_format(const ordered_json& json, const std::string& place) {
  const auto format = json.find("format");
  if (format == json.end()) return;
  if (*format != kFormat) throw invalid_argument("{}: format is {}, must be \"{}\"", place, format->dump(), kFormat);
  const ordered_json version = json.value("version", ordered_json());
  if (version != kVersion)
    throw invalid_argument("{}: version is {}, and this hearth reads version {}", place, version.dump(), kVersion);
}

// Moves what is right of `messages` into the conversation.
void take_messages(const ordered_json& messages, Conversation& conversation, const std::string& place) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string role = messages[i].is_object() ? string_at(messages[i], "role") : "";
    const bool known = (role == "system" && i == 0) || role == "user" || role == "assistant";
    if (!known || !messages[i].contains("content") || !messages[i]["content"].is_string())
      throw invalid_argument("{}: message {} must have 'role' (user, assistant; system first) and 'content', a text",
                             place, i);
    std::string content = messages[i]["content"];
    if (role == "system")
      conversation.system = std::move(content);
    else
      conversation.messages.push_back({{"role", role}, {"content", std::move(content)}});
  }
}

}  // namespace

std::string Conversation::title_or_beginning() const {
  if (!title.empty() || messages.empty()) return title;
  std::string text = string_at(messages[0], "content");
  text.resize(std::min(text.size(), text.find('\n')));
  if (text.size() <= kTitleBytes) return text;
  size_t end = kTitleBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;  // no character is cut
  if (const size_t space = text.rfind(' ', end); space != std::string::npos && space > 0) end = space;
  return text.substr(0, end);
}

Conversation read_conversation(const std::filesystem::path& path) {
  const std::string place = path.string();
  const ordered_json json = ordered_json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  const bool has_messages = json.is_object() && json.contains("messages") && json["messages"].is_array();
  if (!json.is_array() && !has_messages)
    throw invalid_argument("{}: must be a conversation that /save or the web page wrote, or a JSON array of messages",
                           place);
  Conversation conversation;
  if (has_messages) {
    check_format(json, place);
    conversation.title = string_at(json, "title");
    conversation.model = string_at(json, "model");
    conversation.system = string_at(json, "system");
  }
  take_messages(has_messages ? json["messages"] : json, conversation, place);
  return conversation;
}

void write_conversation(const Conversation& conversation, const std::filesystem::path& path) {
  if (std::error_code ignored; std::filesystem::exists(path, ignored)) try {
      read_conversation(path);
    } catch (const Error& error) {
      throw invalid_argument("{} is there and is not overwritten: it is no conversation; choose another name",
                             path.string());
    }
  const ordered_json json = {
      {"format", kFormat},           {"version", kVersion},           {"title", conversation.title_or_beginning()},
      {"model", conversation.model}, {"system", conversation.system}, {"messages", conversation.messages}};
  write_file_atomic(path, json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace hearth
