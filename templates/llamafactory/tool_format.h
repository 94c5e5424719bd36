// Tools as a template shows them to the model, and a model's calls to them as a template writes them back. Source:
// LLaMA-Factory's data/tool_utils.py. (Finding the calls in what a model wrote is not here.)
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "templates/llamafactory/slots.h"

namespace hearth {

struct ToolCall {
  std::string name;
  nlohmann::ordered_json arguments;
};

std::string_view tool_format_name(ToolFormat format);
// Nothing for a name that LLaMA-Factory does not have.
std::optional<ToolFormat> find_tool_format(std::string_view name);
std::vector<std::string_view> tool_format_names();

// What is put behind the system text. `tools`: a JSON array of function schemas, bare or as {"type": "function",
// "function": ...}. `now` is the date that llama3's text names. Throws kInvalidArgument with the path of what is wrong.
std::string tools_text(ToolFormat format, const std::string& tools, std::time_t now);

// {"name", "arguments"} or an array of them. Throws kInvalidArgument for anything else.
std::vector<ToolCall> parse_tool_calls(std::string_view json);
// Throws kInvalidArgument where the format cannot say it: several calls in glm4, arguments that are no object.
std::string calls_text(ToolFormat format, std::span<const ToolCall> calls);

}  // namespace hearth
