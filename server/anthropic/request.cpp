#include "server/anthropic/request.h"

#include <limits>

#include <fmt/format.h>

#include "server/anthropic/conversation.h"

namespace hearth::anthropic {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMinBudget = 1024, kMaxInt = std::numeric_limits<int32_t>::max();
// Both kinds of request have them, and mean the same.
constexpr std::string_view kShared[] = {"max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stream"};
// An answer would disregard them.
constexpr std::string_view kUnsupported[] = {"container", "mcp_servers"};

struct Translation {
  Json chat;
  FieldNames names;
};

void translate_tools(const JsonReader& tools, Translation& out) {
  Json functions = Json::array();
  for (const JsonReader& tool : tools.elements()) {
    if (const JsonReader type = tool["type"]; type && type.string() != "custom")
      throw unsupported_field(type.path(), fmt::format("'{}': '{}' is a tool of Anthropic's servers; there are only "
                                                       "tools of the client, with an input_schema",
                                                       type.path(), type.string()));
    Json function = {{"name", tool.required("name").json()}, {"parameters", tool.required("input_schema").json()}};
    for (const char* name : {"description", "strict"})
      if (const JsonReader field = tool[name]) function[name] = field.json();
    out.names.add(fmt::format("tools[{}].function", functions.size()), tool.path());
    out.names.add(fmt::format("tools[{}].function.parameters", functions.size()), tool["input_schema"].path());
    functions.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  if (!functions.empty()) out.chat["tools"] = std::move(functions);
}

void translate_tool_choice(const JsonReader& choice, Translation& out) {
  if (!choice) return;
  const JsonReader type = choice.required("type");
  const std::string name = type.string();
  if (name == "auto" || name == "none") {
    out.chat["tool_choice"] = name;
  } else if (name == "any") {
    out.chat["tool_choice"] = "required";
  } else if (name == "tool") {
    out.chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.required("name").json()}}}};
    out.names.add("tool_choice.function", choice.path());
  } else {
    type.fail(fmt::format("'{}' is none of auto, any, tool and none", name));
  }
  const JsonReader alone = choice["disable_parallel_tool_use"];
  if (!alone) return;
  out.chat["parallel_tool_calls"] = !alone.boolean();
  out.names.add("parallel_tool_calls", alone.path());
}

// Templates are told whether to think, not how long.
void translate_thinking(const JsonReader& body, Translation& out) {
  const JsonReader thinking = body["thinking"];
  if (!thinking) return;
  const JsonReader type = thinking.required("type");
  const std::string name = type.string();
  if (name != "enabled" && name != "disabled" && name != "adaptive")
    type.fail(fmt::format("'{}' is none of enabled, adaptive and disabled", name));
  if (name == "enabled") {
    const JsonReader budget = thinking.required("budget_tokens"), most = body["max_tokens"];
    if (budget.integer(kMinBudget, kMaxInt) >= (most ? most.integer(1, kMaxInt) : kMaxInt))
      budget.fail("it must be less than 'max_tokens'");
  }
  out.chat["chat_template_kwargs"]["enable_thinking"] = name != "disabled";
  out.names.add("chat_template_kwargs", thinking.path());
}

void translate_effort(const JsonReader& effort, Translation& out) {
  if (!effort) return;
  const std::string name = effort.string();
  const bool is_more = name == "xhigh" || name == "max";  // than templates know
  if (!is_more && name != "low" && name != "medium" && name != "high")
    effort.fail(fmt::format("'{}' is none of low, medium, high, xhigh and max", name));
  out.chat["reasoning_effort"] = is_more ? "high" : name;
  out.names.add("reasoning_effort", effort.path());
}

// output_config.format, and output_format, which is older.
void translate_format(const JsonReader& body, Translation& out) {
  const JsonReader newer = body["output_config"]["format"], older = body["output_format"];
  if (newer && older) older.fail("not together with 'output_config.format'");
  const JsonReader& format = newer ? newer : older;
  if (!format) return;
  if (const JsonReader type = format.required("type"); type.string() != "json_schema")
    type.fail(fmt::format("'{}' is not json_schema", type.string()));
  out.chat["response_format"] = {
      {"type", "json_schema"},
      {"json_schema", {{"name", "output"}, {"strict", true}, {"schema", format.required("schema").json()}}}};
  out.names.add("response_format", format.path());
  out.names.add("response_format.json_schema.schema", format["schema"].path());
}

Translation translate_conversation(const JsonReader& body) {
  if (!body.is_object()) body.fail_type("an object");
  Translation out;
  out.chat["model"] = body.required("model").json();
  Conversation conversation;
  conversation.add_system(body["system"]);
  conversation.add_messages(body.required("messages"));
  conversation.write(out.chat, out.names);
  translate_tools(body["tools"], out);
  translate_tool_choice(body["tool_choice"], out);
  translate_thinking(body, out);
  translate_effort(body["output_config"]["effort"], out);
  return out;
}

void translate_generation(const JsonReader& body, Translation& out) {
  for (const std::string_view name : kUnsupported)
    if (const JsonReader field = body[name]; field && !field.json().empty())
      throw unsupported_field(field.path(), fmt::format("'{}' is not supported", field.path()));
  body.required("max_tokens");
  if (const JsonReader temperature = body["temperature"]) temperature.number(0, 1);
  for (const std::string_view name : kShared)
    if (const JsonReader field = body[name]) out.chat[std::string(name)] = field.json();
  if (const JsonReader stop = body["stop_sequences"]) {
    if (!stop.is_array()) stop.fail_type("an array of strings");
    out.chat["stop"] = stop.json();
    out.names.add("stop", stop.path());
  }
  translate_format(body, out);
}

MessageRequest read(const Translation& translation) {
  return {translation.names.translated([&] { return read_chat_request(JsonReader(translation.chat)); }),
          translation.names};
}

}  // namespace

MessageRequest read_message_request(const JsonReader& body) {
  Translation translation = translate_conversation(body);
  translate_generation(body, translation);
  return read(translation);
}

MessageRequest read_count_request(const JsonReader& body) { return read(translate_conversation(body)); }

}  // namespace hearth::anthropic
