#include "server/responses/tool_fields.h"

#include <string>

#include <fmt/format.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

void require_function(const JsonReader& tool) {
  const JsonReader type = tool.required("type");
  if (const std::string name = type.string(); name != "function")
    throw unsupported_field(type.path(), fmt::format("'{}': '{}' is not supported, only function tools are; a client "
                                                     "can offer it as a function and run it itself",
                                                     type.path(), name.substr(0, 64)));
}

Json read_tool(const JsonReader& tool) {
  require_function(tool);
  Json function = {{"type", "function"}, {"name", tool.required("name").string()}};
  if (const JsonReader description = tool["description"]) function["description"] = description.string();
  const JsonReader parameters = tool["parameters"], strict = tool["strict"];
  if (parameters && !parameters.is_object()) parameters.fail_type("an object (JSON Schema)");
  function["parameters"] = parameters.json();
  function["strict"] = strict ? Json(strict.boolean()) : Json();
  return function;
}

// Without what is null.
Json chat_tool(Json function) {
  function.erase("type");
  for (const char* name : {"parameters", "strict"})
    if (function[name].is_null()) function.erase(name);
  return {{"type", "function"}, {"function", std::move(function)}};
}

Json read_named(const JsonReader& choice) {
  require_function(choice);
  return {{"type", "function"}, {"name", choice.required("name").string()}};
}

Json chat_named(const Json& choice) { return {{"type", "function"}, {"function", {{"name", choice["name"]}}}}; }

Json read_allowed(const JsonReader& choice, Json& chat, FieldNames& names) {
  const JsonReader mode = choice.required("mode");
  if (mode.string() != "auto" && mode.string() != "required") mode.fail("there are auto and required");
  Json repeated = {{"type", "allowed_tools"}, {"mode", mode.string()}, {"tools", Json::array()}};
  Json tools = Json::array();
  names.add("tool_choice.allowed_tools", "tool_choice");
  for (const JsonReader& tool : choice.required("tools").elements()) {
    names.add(fmt::format("tool_choice.allowed_tools.tools[{}].function", tools.size()), tool.path());
    repeated["tools"].push_back(read_named(tool));
    tools.push_back(chat_named(repeated["tools"].back()));
  }
  chat["tool_choice"] = {{"type", "allowed_tools"},
                         {"allowed_tools", {{"mode", mode.string()}, {"tools", std::move(tools)}}}};
  return repeated;
}

}  // namespace

Json read_response_tools(const JsonReader& tools, Json& chat, FieldNames& names) {
  Json repeated = Json::array();
  for (const JsonReader& tool : tools.elements()) {
    names.add(tool.path() + ".function", tool.path());
    repeated.push_back(read_tool(tool));
    chat["tools"].push_back(chat_tool(repeated.back()));
  }
  return repeated;
}

Json read_response_tool_choice(const JsonReader& choice, Json& chat, FieldNames& names) {
  if (!choice) return "auto";
  if (choice.is_string()) {
    const std::string name = choice.string();
    if (name != "none" && name != "auto" && name != "required")
      choice.fail("there are none, auto, required, and objects of type function or allowed_tools");
    chat["tool_choice"] = name;
    return name;
  }
  if (!choice.is_object()) choice.fail_type("a string or an object");
  if (choice.required("type").string() == "allowed_tools") return read_allowed(choice, chat, names);
  names.add("tool_choice.function", "tool_choice");
  Json repeated = read_named(choice);
  chat["tool_choice"] = chat_named(repeated);
  return repeated;
}

}  // namespace hearth
