#include "server/anthropic/message_object.h"

#include <algorithm>

#include "server/ids.h"
#include "server/json_reader.h"

namespace hearth::anthropic {
namespace {

using Json = nlohmann::ordered_json;

// `input` has to be an object. What the model wrote and is none (an answer that was cut off) is kept as it is, so that
// nobody takes it for a call without arguments.
Json input_of(const std::string& arguments) {
  if (arguments.empty()) return Json::object();
  try {
    if (Json input = parse_json(arguments); input.is_object()) return input;
  } catch (const Error&) {
  }
  Json kept;
  kept["arguments"] = arguments;
  return kept;
}

}  // namespace

Json thinking_block() { return {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}; }
Json text_block() { return {{"type", "text"}, {"text", ""}}; }
Json tool_use_block(const std::string& id, const std::string& name) {
  return {{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", Json::object()}};
}

Json content_of(const ChatMessage& message) {
  Json content = Json::array();
  if (!message.reasoning.empty()) {
    content.push_back(thinking_block());
    content.back()["thinking"] = message.reasoning;
  }
  if (!message.text.empty()) {
    content.push_back(text_block());
    content.back()["text"] = message.text;
  }
  for (const ChatMessage::Call& call : message.calls) {
    content.push_back(tool_use_block(call.id, call.name));
    content.back()["input"] = input_of(call.arguments);
  }
  return content;
}

Json stop_of(std::string_view finish_reason, const std::string& stop, const std::vector<std::string>& stop_sequences) {
  if (finish_reason == "tool_calls") return {{"stop_reason", "tool_use"}, {"stop_sequence", nullptr}};
  if (finish_reason == "length") return {{"stop_reason", "max_tokens"}, {"stop_sequence", nullptr}};
  if (std::ranges::find(stop_sequences, stop) == stop_sequences.end())
    return {{"stop_reason", "end_turn"}, {"stop_sequence", nullptr}};
  return {{"stop_reason", "stop_sequence"}, {"stop_sequence", stop}};
}

Json usage_of(const TokenUsage& usage) {
  return {{"input_tokens", usage.prompt - usage.cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached},
          {"output_tokens", usage.completion}};
}

Json new_message(const ServedModel& model, const TokenUsage& usage) {
  return {{"id", random_id("msg_")},  {"type", "message"},      {"role", "assistant"},      {"model", model.id},
          {"content", Json::array()}, {"stop_reason", nullptr}, {"stop_sequence", nullptr}, {"usage", usage_of(usage)}};
}

}  // namespace hearth::anthropic
