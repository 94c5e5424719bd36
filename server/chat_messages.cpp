#include "server/chat_messages.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxMessages = 10'000, kMaxTools = 256;
constexpr size_t kMaxFunctionName = 64;

using Images = std::vector<ImageReference>;

void add_image(const JsonReader& part, std::string_view role, Images& images) {
  const JsonReader type = part["type"];
  if (role != "user" && role != "tool" && role != "function")
    throw unsupported_field(type.path(), fmt::format("'{}': a message from {} has no images; those from user and tool "
                                                     "have",
                                                     type.path(), role));
  images.push_back(read_image_part(part));
  if (images.size() > kMaxImages) part.fail(fmt::format("a conversation has at most {} images", kMaxImages));
}

// A text, or an image's place as templates know it.
Json read_part(const JsonReader& part, std::string_view role, Images& images) {
  const auto text_part = [](const JsonReader& text) { return Json{{"type", "text"}, {"text", text.string()}}; };
  if (part.is_string()) return text_part(part);
  const JsonReader type = part.required("type");
  const std::string name = type.string();
  if (name == "text") return text_part(part.required("text"));
  if (name == "refusal" && role == "assistant") return text_part(part.required("refusal"));
  if (name == "image_url") {
    add_image(part, role, images);
    return {{"type", "image"}};
  }
  for (const std::string_view media : {"input_audio", "video_url", "file"}) {
    if (name == media)
      throw unsupported_field(type.path(),
                              fmt::format("'{}': models read text and images, not '{}' parts", type.path(), name));
  }
  type.fail(fmt::format("'{}' is no kind of part of a message from {}", name, role));
}

// Text as one string, and parts where there are images; an absent one is empty.
Json read_content(const JsonReader& content, std::string_view role, Images& images) {
  if (!content) return "";
  if (content.is_string()) return content.string();
  if (!content.is_array()) content.fail_type("a string or an array of parts");
  const size_t images_before = images.size();
  Json parts = Json::array();
  for (const JsonReader& part : content.elements()) parts.push_back(read_part(part, role, images));
  if (images.size() > images_before) return parts;
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += '\n';
    text += parts[i]["text"].get_ref<const std::string&>();
  }
  return text;
}

Json read_arguments(const JsonReader& arguments) {
  if (!arguments) return Json::object();
  if (arguments.is_object()) return arguments.json();  // some clients send it decoded
  const std::string text = arguments.string();
  if (text.empty()) return Json::object();
  Json parsed;
  try {
    parsed = parse_json(text);
  } catch (const Error& error) {
    arguments.fail(fmt::format("expected a JSON object in a string: {}", error.what()));
  }
  if (!parsed.is_object()) arguments.fail("expected a JSON object in a string");
  return parsed;
}

Json read_tool_call(const JsonReader& call) {
  const JsonReader type = call["type"];
  if (type && type.string() != "function")
    throw unsupported_field(type.path(), fmt::format("'{}': only calls of functions are supported", type.path()));
  const JsonReader function = call.required("function");
  Json out;
  if (const JsonReader id = call["id"]) out["id"] = id.string();
  out["type"] = "function";
  out["function"]["name"] = function.required("name").string();
  out["function"]["arguments"] = read_arguments(function["arguments"]);
  return out;
}

// An older form of one tool call.
Json read_function_call(const JsonReader& call) {
  Json out;
  out["type"] = "function";
  out["function"]["name"] = call.required("name").string();
  out["function"]["arguments"] = read_arguments(call["arguments"]);
  return out;
}

Json read_message(const JsonReader& message, Images& images) {
  if (!message.is_object()) message.fail_type("an object");
  const JsonReader role_field = message.required("role");
  const std::string role = role_field.string();
  constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool", "function"};
  if (std::ranges::find(kRoles, role) == std::end(kRoles))
    role_field.fail(fmt::format("'{}' is no role; there are system, developer, user, assistant and tool", role));
  Json out;
  out["role"] = role == "function" ? "tool" : role;
  const JsonReader content = message["content"];
  if (!content && role != "assistant") message.required("content");
  out["content"] = read_content(content, role, images);
  if (const JsonReader name = message["name"]) out["name"] = name.string();
  if (role == "tool") {
    if (const JsonReader id = message["tool_call_id"]) out["tool_call_id"] = id.string();
  }
  if (role != "assistant") return out;

  Json calls = Json::array();
  for (const JsonReader& call : message["tool_calls"].elements()) calls.push_back(read_tool_call(call));
  if (const JsonReader call = message["function_call"]) calls.push_back(read_function_call(call));
  const JsonReader refusal = message["refusal"];
  if (!content && refusal) out["content"] = refusal.string();
  if (!content && !refusal && calls.empty()) message.required("content");
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  for (const char* key : {"reasoning_content", "reasoning"}) {
    const JsonReader reasoning = message[key];
    if (!reasoning || !reasoning.is_string()) continue;
    out["reasoning_content"] = reasoning.string();
    break;
  }
  return out;
}

void check_function_name(const JsonReader& field) {
  const std::string name = field.string();
  const bool good = !name.empty() && name.size() <= kMaxFunctionName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!good) field.fail(fmt::format("a function's name has 1 to {} letters, digits, '_' and '-'", kMaxFunctionName));
}

// Calls are told apart by name.
void check_distinct(const std::vector<JsonReader>& tools) {
  std::set<std::string> names;
  for (const JsonReader& tool : tools) {
    const JsonReader name = tool["function"]["name"];
    if (!names.insert(name.string()).second) name.fail(fmt::format("there is another tool named '{}'", name.string()));
  }
}

}  // namespace

void check_function(const JsonReader& function) {
  check_function_name(function.required("name"));
  if (const JsonReader parameters = function["parameters"]; parameters && !parameters.is_object())
    parameters.fail_type("an object (JSON Schema)");
  if (const JsonReader strict = function["strict"]) strict.boolean();
}

Json read_messages(const JsonReader& messages, Images& images) {
  const std::vector<JsonReader> elements = messages.elements();
  if (elements.empty()) messages.fail("at least one message is needed");
  if (elements.size() > kMaxMessages) messages.fail(fmt::format("more than {} messages", kMaxMessages));
  Json out = Json::array();
  for (const JsonReader& message : elements) out.push_back(read_message(message, images));
  return out;
}

Json read_tools(const JsonReader& tools) {
  const std::vector<JsonReader> elements = tools.elements();
  if (elements.empty()) return nullptr;
  if (elements.size() > kMaxTools) tools.fail(fmt::format("more than {} tools", kMaxTools));
  for (const JsonReader& tool : elements) {
    const JsonReader type = tool.required("type");
    if (type.string() != "function")
      throw unsupported_field(type.path(), fmt::format("'{}': only function tools are supported", type.path()));
    check_function(tool.required("function"));
  }
  check_distinct(elements);
  return tools.json();
}

}  // namespace hearth
