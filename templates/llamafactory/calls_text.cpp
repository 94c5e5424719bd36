// Calls to tools in every format: tool_utils.py's function_formatter.
#include <algorithm>

#include "runtime/base/error.h"
#include "templates/llamafactory/python_text.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const Json& object_of(const ToolCall& call) {
  if (!call.arguments.is_object())
    throw invalid_argument("the arguments of the call to '{}' must be an object, not {}", call.name,
                           call.arguments.type_name());
  return call.arguments;
}

// A text as it is, anything else as JSON.
std::string bare(const Json& value) { return value.is_string() ? value.get<std::string>() : python_json(value); }

std::string name_and(const char* key, const ToolCall& call) {
  return python_json({{"name", call.name}, {key, call.arguments}});
}

// The texts of all calls, one behind the other.
template <class Text>
std::string joined(std::span<const ToolCall> calls, std::string_view separator, const Text& text) {
  std::string out;
  for (const ToolCall& call : calls) {
    if (&call != calls.data()) out += separator;
    out += text(call);
  }
  return out;
}

std::string action(const ToolCall& call) {
  return "Action: " + call.name + "\nAction Input: " + python_json(call.arguments);
}

std::string gemma4_value(const Json& value) {
  if (value.is_string()) return "<|\"|>" + value.get<std::string>() + "<|\"|>";
  if (value.is_boolean() || value.is_null()) return python_json(value);
  std::string out;
  if (value.is_array()) {
    for (const Json& item : value) out += (out.empty() ? "" : ",") + gemma4_value(item);
    return "[" + out + "]";
  }
  if (!value.is_object()) return python_str(value);
  std::vector<std::string> keys;
  for (const auto& [key, item] : value.items()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  for (const std::string& key : keys) out += (out.empty() ? "" : ",") + key + ":" + gemma4_value(value.at(key));
  return "{" + out + "}";
}

std::string gemma4_call(const ToolCall& call) {
  // An object brings its own braces.
  const std::string arguments = call.arguments.is_object()   ? gemma4_value(call.arguments)
                                : call.arguments.is_string() ? "{" + call.arguments.get<std::string>() + "}"
                                                             : "{" + gemma4_value(call.arguments) + "}";
  return "<|tool_call>call:" + call.name + arguments + "<tool_call|>";
}

std::string glm4_moe_call(const ToolCall& call) {
  std::string out = "\n<tool_call>" + call.name;
  for (const auto& [key, value] : object_of(call).items())
    out += "\n<arg_key>" + key + "</arg_key>\n<arg_value>" + bare(value) + "</arg_value>";
  return out;
}

std::string lfm2_call(const ToolCall& call) {
  std::string arguments;
  for (const auto& [key, value] : object_of(call).items()) {
    if (!arguments.empty()) arguments += ", ";
    arguments += key + "=" + (value.is_string() ? "\"" + value.get<std::string>() + "\"" : python_json(value));
  }
  return call.name + "(" + arguments + ")";
}

std::string minimax2_call(const ToolCall& call) {
  std::string out = "<invoke name=\"" + call.name + "\">";
  for (const auto& [key, value] : object_of(call).items())
    out += "\n<parameter name=\"" + key + "\">" + bare(value) + "</parameter>";
  return out + "\n</invoke>";
}

std::string qwen35_call(const ToolCall& call) {
  std::string out = "<tool_call>\n<function=" + call.name + ">";
  for (const auto& [key, value] : object_of(call).items())
    out += "\n<parameter=" + key + ">\n" + bare(value) + "\n</parameter>";
  return out + "\n</function>\n</tool_call>";
}

// The name's angle bracket stays open, as the reference has it.
std::string seed_oss_call(const ToolCall& call) {
  std::string out = "\n<seed:tool_call>\n<function=" + call.name;
  for (const auto& [key, value] : object_of(call).items())
    out += "\n<parameter=" + key + ">" + bare(value) + "</parameter>";
  return out + "\n</function>\n</seed:tool_call>";
}

}  // namespace

std::string calls_text(ToolFormat format, std::span<const ToolCall> calls) {
  switch (format) {
    case ToolFormat::kDefaultTools:
    case ToolFormat::kPhi4MiniTools:
      return joined(calls, "\n", action);
    case ToolFormat::kGemma4Tools:
      return joined(calls, "", gemma4_call);
    case ToolFormat::kGlm4Tools:
      if (calls.size() != 1)
        throw invalid_argument("the glm4 tool format writes one call in a message, not {}", calls.size());
      return calls[0].name + "\n" + python_json(calls[0].arguments);
    case ToolFormat::kGlm4MoeTools:
      return joined(calls, "\n", glm4_moe_call);
    case ToolFormat::kLfm2Tools:
      return "<|tool_call_start|>[" + joined(calls, ", ", lfm2_call) + "]<|tool_call_end|>";
    case ToolFormat::kLlama3Tools: {
      const std::string texts = joined(calls, ", ", [](const ToolCall& call) { return name_and("parameters", call); });
      return calls.size() == 1 ? texts : "[" + texts + "]";
    }
    case ToolFormat::kMinimax1Tools:
      return "<tool_calls>\n" + joined(calls, "\n", [](const ToolCall& call) { return name_and("arguments", call); }) +
             "\n</tool_calls>";
    case ToolFormat::kMinimax2Tools:
      return joined(calls, "\n", minimax2_call);
    case ToolFormat::kMistralTools:
      return "[" + joined(calls, ", ", [](const ToolCall& call) { return name_and("arguments", call); }) + "]";
    case ToolFormat::kLingTools:
    case ToolFormat::kQwenTools:
      return joined(calls, "\n", [](const ToolCall& call) {
        return "<tool_call>\n" + name_and("arguments", call) + "\n</tool_call>";
      });
    case ToolFormat::kQwen35Tools:
      return joined(calls, "\n", qwen35_call);
    case ToolFormat::kSeedOssTools:
      return joined(calls, "\n", seed_oss_call);
  }
  throw internal_error("no such tool format");
}

}  // namespace hearth
