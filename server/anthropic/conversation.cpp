#include "server/anthropic/conversation.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace hearth::anthropic {
namespace {

using Json = nlohmann::ordered_json;

// Templates have no mark for a result that is an error, so its text says so.
constexpr std::string_view kErrorMark = "Error: ";

[[noreturn]] void refuse_block(const JsonReader& type, std::string_view there_are) {
  throw unsupported_field(type.path(), fmt::format("'{}': blocks of type '{}' are not supported here; there are {}",
                                                   type.path(), type.string(), there_are));
}

Json text_part(std::string text) { return {{"type", "text"}, {"text", std::move(text)}}; }

// An image block's source: what the chat's part says of it, and where both say it.
struct ImageSource {
  Json image_url;
  std::string field, original;
};

ImageSource read_image_source(const JsonReader& source) {
  const JsonReader type = source.required("type");
  const std::string name = type.string();
  if (name == "url") return {{{"url", source.required("url").string()}}, "url", source["url"].path()};
  if (name == "file") return {{{"file_id", source.required("file_id").string()}}, "file_id", source["file_id"].path()};
  if (name != "base64") type.fail(fmt::format("'{}' is none of base64, url and file", name.substr(0, 64)));
  constexpr std::string_view kTypes[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
  const JsonReader media = source.required("media_type"), data = source.required("data");
  if (std::ranges::find(kTypes, media.string()) == std::end(kTypes))
    media.fail(fmt::format("'{}' is none of {}", media.string().substr(0, 64), fmt::join(kTypes, ", ")));
  return {{{"url", fmt::format("data:{};base64,{}", media.string(), data.string())}}, "url", data.path()};
}

// A string or blocks of text, as parts.
Json read_texts(const JsonReader& content) {
  Json parts = Json::array();
  if (!content) return parts;
  if (content.is_string()) {
    parts.push_back(text_part(content.string()));
    return parts;
  }
  if (!content.is_array()) content.fail_type("a string or an array of blocks");
  for (const JsonReader& block : content.elements()) {
    const JsonReader type = block.required("type");
    if (type.string() != "text") refuse_block(type, "only text");
    parts.push_back(text_part(block.required("text").string()));
  }
  return parts;
}

}  // namespace

Json& Conversation::new_turn(const std::string& role, const std::string& path) {
  messages_.push_back({{"role", role}, {"content", Json::array()}});
  paths_.push_back(path);
  return messages_.back();
}

Json& Conversation::turn(const std::string& role, const std::string& path) {
  const bool goes_on = !messages_.empty() && messages_.back()["role"] == role;
  return goes_on ? messages_.back() : new_turn(role, path);
}

void Conversation::add_system(const JsonReader& system) {
  if (!system) return;
  new_turn("system", system.path())["content"] = read_texts(system);
}

void Conversation::add_messages(const JsonReader& messages) {
  const std::vector<JsonReader> elements = messages.elements();
  if (elements.empty()) messages.fail("at least one message is needed");
  for (const JsonReader& message : elements) add_message(message);
}

void Conversation::add_message(const JsonReader& message) {
  if (!message.is_object()) message.fail_type("an object");
  const JsonReader role_field = message.required("role"), content = message.required("content");
  const std::string role = role_field.string();
  if (role == "system") {
    new_turn(role, message.path())["content"] = read_texts(content);
    return;
  }
  if (role != "user" && role != "assistant")
    role_field.fail(fmt::format("'{}' is no role; there are user, assistant and system", role));
  if (content.is_string()) {
    add_text(role, content);
    return;
  }
  if (!content.is_array()) content.fail_type("a string or an array of blocks");
  if (role == "assistant" || content.elements().empty()) turn(role, message.path());
  for (const JsonReader& block : content.elements()) add_block(block, role);
}

void Conversation::add_block(const JsonReader& block, const std::string& role) {
  const JsonReader type = block.required("type");
  const std::string name = type.string();
  if (name == "text") return add_text(role, block.required("text"));
  if (role == "user") {
    if (name == "tool_result") return add_tool_result(block);
    if (name != "image") refuse_block(type, "text, image and tool_result");
    turn(role, block.path());
    return add_image(block);
  }
  if (name == "tool_use") return add_tool_use(block);
  if (name == "redacted_thinking") return;  // nobody here could read it
  if (name != "thinking") refuse_block(type, "text, thinking, redacted_thinking and tool_use");
  Json& reasoning = turn(role, block.path())["reasoning_content"];
  reasoning = (reasoning.is_string() ? reasoning.get<std::string>() : "") + block.required("thinking").string();
}

void Conversation::add_text(const std::string& role, const JsonReader& text) {
  turn(role, text.path())["content"].push_back(text_part(text.string()));
}

void Conversation::add_tool_use(const JsonReader& block) {
  const JsonReader input = block.required("input");
  if (!input.is_object()) input.fail_type("an object");
  const std::string id = block.required("id").string();
  if (!calls_.insert(id).second) block["id"].fail(fmt::format("a tool_use of id '{}' came before", id));
  turn("assistant", block.path())["tool_calls"].push_back(
      {{"id", id},
       {"type", "function"},
       {"function", {{"name", block.required("name").string()}, {"arguments", input.json()}}}});
}

void Conversation::add_tool_result(const JsonReader& block) {
  const JsonReader id = block.required("tool_use_id");
  if (!calls_.contains(id.string())) id.fail(fmt::format("no tool_use of id '{}' came before", id.string()));
  new_turn("tool", block.path())["tool_call_id"] = id.string();
  const JsonReader is_error = block["is_error"];
  add_result_content(block["content"], is_error && is_error.boolean());
}

void Conversation::add_result_content(const JsonReader& content, bool is_error) {
  Json& parts = messages_.back()["content"];
  const auto add_text = [&](const std::string& text) {
    parts.push_back(text_part(std::string(is_error && parts.empty() ? kErrorMark : "") + text));
  };
  if (content && content.is_string()) return add_text(content.string());
  if (content && !content.is_array()) content.fail_type("a string or an array of blocks");
  for (const JsonReader& block : content.elements()) {
    const JsonReader type = block.required("type");
    if (type.string() == "text") {
      add_text(block.required("text").string());
      continue;
    }
    if (type.string() != "image") refuse_block(type, "text and image");
    if (is_error && parts.empty()) add_text("");
    add_image(block);
  }
  if (is_error && parts.empty()) add_text("");
}

// To the last message.
void Conversation::add_image(const JsonReader& block) {
  ImageSource source = read_image_source(block.required("source"));
  Json& parts = messages_.back()["content"];
  const std::string part = fmt::format("messages[{}].content[{}]", messages_.size() - 1, parts.size());
  image_names_.emplace_back(part + ".image_url." + source.field, source.original);
  parts.push_back({{"type", "image_url"}, {"image_url", std::move(source.image_url)}});
}

void Conversation::write(Json& chat, FieldNames& names) const {
  for (size_t i = 0; i < paths_.size(); ++i) names.add(fmt::format("messages[{}]", i), paths_[i]);
  for (const auto& [translated, original] : image_names_) names.add(translated, original);
  const Json& last = messages_.back();
  if (last["role"] == "assistant") {
    if (last.contains("tool_calls"))
      throw invalid_field("messages", "'messages': the last turn has a tool_use, whose tool_result must follow it");
    chat["continue_final_message"] = true;
    names.add("continue_final_message", "messages");
  }
  chat["messages"] = messages_;
}

}  // namespace hearth::anthropic
