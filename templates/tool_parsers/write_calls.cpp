#include "templates/tool_parsers/write_calls.h"

#include "templates/tool_parsers/argument_text.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

std::string python_value(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  if (!value.is_structured()) return json_line(value);
  std::string out;
  for (const auto& [key, item] : value.items()) {
    if (!out.empty()) out += ", ";
    if (value.is_object()) out += json_line(key) + ": ";
    out += python_value(item);
  }
  return value.is_array() ? "[" + out + "]" : "{" + out + "}";
}

std::string gemma4_value(const Json& value) {
  if (value.is_string()) return "<|\"|>" + value.get<std::string>() + "<|\"|>";
  if (!value.is_structured()) return json_line(value);
  std::string out;
  for (const auto& [key, item] : value.items()) {
    if (!out.empty()) out += ",";
    if (value.is_object()) out += key + ":";
    out += gemma4_value(item);
  }
  return value.is_array() ? "[" + out + "]" : "{" + out + "}";
}

std::string parameters_text(const CallFormat& format, const Json& arguments) {
  std::string out;
  for (const auto& [key, value] : arguments.items())
    out += std::string(format.key_begin) + key + std::string(format.key_end) +
           (value.is_string() ? value.get<std::string>() : json_line(value)) + std::string(format.value_end);
  return out;
}

std::string python_arguments(const Json& arguments) {
  std::string out;
  for (const auto& [key, value] : arguments.items()) out += (out.empty() ? "" : ", ") + key + "=" + python_value(value);
  return out;
}

std::string one_call(const CallFormat& format, const ToolCall& call) {
  const std::string begin(format.call_begin), end(format.call_end), name_end(format.name_end);
  switch (format.body) {
    case CallBody::kJson:
      return begin +
             json_line(
                 {{std::string(format.name_key), call.name}, {std::string(format.arguments_key), call.arguments}}) +
             end;
    case CallBody::kNamed:
      return begin + call.name + name_end + json_line(call.arguments) + end;
    case CallBody::kParameters:
      return begin + call.name + name_end + parameters_text(format, call.arguments) + end;
    case CallBody::kPython:
      return begin + call.name + "(" + python_arguments(call.arguments) + ")" + end;
    case CallBody::kGemma4:
      return begin + call.name + gemma4_value(call.arguments) + end;
    case CallBody::kHarmony:
      break;
  }
  return "<|channel|>commentary to=functions." + call.name + " <|constrain|>json<|message|>" +
         json_line(call.arguments);
}

}  // namespace

std::string write_calls(const CallFormat& format, std::span<const ToolCall> calls) {
  const bool is_list = format.is_list || format.body == CallBody::kPython;
  std::string out(format.begin);
  if (is_list) out += '[';
  for (const ToolCall& call : calls) {
    if (&call != calls.data()) out += is_list ? ", " : std::string(format.between);
    out += one_call(format, call);
  }
  if (is_list) out += ']';
  return out + std::string(format.end);
}

}  // namespace hearth
