// An example in OpenAI's form (declared in turn_encoder.h). A result answers the first call before it, because the
// standard form joins the results of several calls in one message.
#include <string>
#include <utility>

#include "finetune/encoding/turn_encoder.h"
#include "models/vision/picture_places.h"
#include "runtime/base/error.h"
#include "templates/llamafactory/python_text.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

// Nine letters and digits, as some templates demand of ids.
std::string call_id(size_t number) { return fmt::format("call{:05}", number % 100000); }

Json called(const SlotMessage& message, size_t& calls) {
  FunctionContent content;
  if (message.calls.empty()) {
    const TemplateTraits traits;
    const auto text = [](std::string_view word) { return std::string(word); };
    content = split_function_content(message.content, {text(traits.thought_words[0]), text(traits.thought_words[1])},
                                     {text(traits.tool_call_words[0]), text(traits.tool_call_words[1])});
  } else {
    content = {message.content, message.calls};
  }
  Json list = Json::array();
  for (const ToolCall& call : content.calls)
    list.push_back({{"id", call_id(calls++)},
                    {"type", "function"},
                    {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return {{"role", "assistant"}, {"content", content.before}, {"tool_calls", std::move(list)}};
}

// With images the text between them as parts.
Json content_of(const Example& example, const std::string& text, bool spaces_words) {
  if (example.images.empty() || text.find(kImagePlaceholder) == std::string::npos) return text;
  Json parts = Json::array();
  const auto add_text = [&](std::string_view piece) {
    if (piece.empty()) return;
    const bool gets_space = spaces_words && !parts.empty() && begins_word(piece);
    parts.push_back({{"type", "text"}, {"text", (gets_space ? " " : "") + std::string(piece)}});
  };
  std::string_view rest = text;
  for (size_t at = rest.find(kImagePlaceholder); at != std::string_view::npos; at = rest.find(kImagePlaceholder)) {
    add_text(rest.substr(0, at));
    parts.push_back({{"type", "image"}});
    rest.remove_prefix(at + kImagePlaceholder.size());
  }
  add_text(rest);
  return parts;
}

Json tools_of(const std::string& text) {
  const std::optional<Json> tools = parse_json_text(text);
  if (!tools || !tools->is_array()) throw invalid_argument("tools: must be a JSON array of function schemas");
  Json out = Json::array();
  for (const Json& tool : *tools)
    out.push_back(tool.is_object() && tool.contains("function") ? tool
                                                                : Json{{"type", "function"}, {"function", tool}});
  return out;
}

}  // namespace

ChatTemplateInputs example_inputs(const Example& example, bool spaces_words) {
  ChatTemplateInputs inputs;
  inputs.add_generation_prompt = false;
  inputs.messages = Json::array();
  if (!example.system.empty()) inputs.messages.push_back({{"role", "system"}, {"content", example.system}});
  size_t calls = 0;
  std::string answered, name;  // the first call of the message before
  for (const auto* messages : {&example.prompt, &example.response}) {
    for (const SlotMessage& message : *messages) {
      if (message.role == Role::kFunction) {
        answered = call_id(calls);
        inputs.messages.push_back(called(message, calls));
        const Json& list = inputs.messages.back()["tool_calls"];
        name = list.empty() ? "" : list[0]["function"]["name"].get<std::string>();
      } else if (message.role == Role::kObservation) {
        Json result = {{"role", "tool"}, {"content", message.content}};
        if (!answered.empty()) result.update({{"tool_call_id", answered}, {"name", name}});
        inputs.messages.push_back(std::move(result));
      } else {
        inputs.messages.push_back({{"role", message.role == Role::kUser ? "user" : "assistant"},
                                   {"content", content_of(example, message.content, spaces_words)}});
      }
    }
  }
  if (!example.tools.empty()) inputs.tools = tools_of(example.tools);
  return inputs;
}

}  // namespace hearth
