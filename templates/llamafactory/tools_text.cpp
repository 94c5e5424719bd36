// Descriptions of tools in every format: tool_utils.py's tool_formatter.
#include <algorithm>
#include <array>

#include "runtime/base/error.h"
#include "templates/llamafactory/python_text.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// What Python takes for true.
bool is_true(const Json* value) {
  if (!value || value->is_null()) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number()) return value->get<double>() != 0;
  if (value->is_string()) return !value->get_ref<const std::string&>().empty();
  return !value->empty();
}

// str() of a field, nothing where there is none.
std::string text_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value ? python_str(*value) : "";
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

bool is_wrapped(const Json& tool) {
  const Json* type = find(tool, "type");
  return type && *type == "function";
}

// The schema itself: {"name", "description", "parameters"}.
const Json& schema_of(const Json& tool) {
  const Json* function = is_wrapped(tool) ? find(tool, "function") : &tool;
  const Json* name = function ? find(*function, "name") : nullptr;
  if (!name || !name->is_string()) throw invalid_argument("tools: each must be a function's schema with a 'name'");
  return *function;
}

std::string wrapped(const Json& tool, bool indented = false) {
  schema_of(tool);
  return python_json(is_wrapped(tool) ? tool : Json{{"type", "function"}, {"function", tool}}, indented);
}

// Each tool's text between `before` and `after`.
template <class Text>
std::string listed(const Json& tools, std::string_view before, std::string_view after, const Text& text) {
  std::string out;
  for (const Json& tool : tools) out.append(before).append(text(tool)).append(after);
  return out;
}

std::string schema_text(const Json& tool) { return python_json(schema_of(tool)); }
std::string wrapped_text(const Json& tool) { return wrapped(tool); }

std::string default_parameter(const std::string& name, const Json& schema, const Json& parameters) {
  const Json *required = find(parameters, "required"), *choices = find(schema, "enum"), *items = find(schema, "items");
  std::string out = "  - " + name + " (" + text_of(schema, "type");
  if (required && required->is_array() && std::find(required->begin(), required->end(), name) != required->end())
    out += ", required";
  out += "): " + text_of(schema, "description");
  if (is_true(choices) && choices->is_array()) {
    out += ", should be one of [";
    for (size_t i = 0; i < choices->size(); ++i) out += (i ? ", " : "") + python_str((*choices)[i]);
    out += "]";
  }
  if (is_true(items)) out += ", where each item should be " + text_of(*items, "type");
  return out + "\n";
}

std::string default_text(const Json& tools) {
  std::string text, names;
  for (const Json& tool : tools) {
    const Json& schema = schema_of(tool);
    const std::string name = schema["name"];
    text += "> Tool Name: " + name + "\nTool Description: " + text_of(schema, "description") + "\nTool Args:\n";
    const Json* parameters = find(schema, "parameters");
    const Json* properties = parameters ? find(*parameters, "properties") : nullptr;
    if (properties && properties->is_object())
      for (const auto& [key, value] : properties->items()) text += default_parameter(key, value, *parameters);
    text += "\n";
    names += (names.empty() ? "" : ", ") + name;
  }
  return "You have access to the following tools:\n" + text +
         "Use the following format if using a tool:\n```\nAction: tool name (one of [" + names +
         "])\nAction Input: the input to the tool, in a JSON format representing the kwargs (e.g. ```{\"input\": "
         "\"hello world\", \"num_beams\": 5}```)\n```\n";
}

std::string quoted(const std::string& text) { return "<|\"|>" + text + "<|\"|>"; }

std::string comma_joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (&part == parts.data() ? "" : ",") + part;
  return out;
}

std::vector<std::string> gemma4_description_and_type(const Json& schema) {
  std::vector<std::string> parts;
  if (is_true(find(schema, "description"))) parts.push_back("description:" + quoted(text_of(schema, "description")));
  if (is_true(find(schema, "type"))) parts.push_back("type:" + quoted(upper(text_of(schema, "type"))));
  return parts;
}

std::string gemma4_parameters(const Json& parameters) {
  std::vector<std::string> parts;
  if (const Json* properties = find(parameters, "properties"); is_true(properties) && properties->is_object()) {
    std::vector<std::string> texts;
    for (const auto& [name, schema] : properties->items())
      texts.push_back(name + ":{" + comma_joined(gemma4_description_and_type(schema)) + "}");
    parts.push_back("properties:{" + comma_joined(texts) + "}");
  }
  if (const Json* required = find(parameters, "required"); is_true(required) && required->is_array()) {
    std::vector<std::string> names;
    for (const Json& name : *required) names.push_back(quoted(python_str(name)));
    parts.push_back("required:[" + comma_joined(names) + "]");
  }
  if (is_true(find(parameters, "type"))) parts.push_back("type:" + quoted(upper(text_of(parameters, "type"))));
  return comma_joined(parts);
}

std::string gemma4_text(const Json& tools) {
  std::string out;
  for (const Json& tool : tools) {
    const Json& schema = schema_of(tool);
    out += (out.empty() ? "" : "\n") + std::string("declaration:") + schema["name"].get<std::string>() +
           "{description:" + quoted(text_of(schema, "description"));
    if (const Json* parameters = find(schema, "parameters"); is_true(parameters))
      out += ",parameters:{" + gemma4_parameters(*parameters) + "}";
    if (const Json* response = find(schema, "response"); is_true(response)) {
      std::vector<std::string> parts;
      if (is_true(find(*response, "description")))
        parts.push_back("description:" + quoted(text_of(*response, "description")));
      if (upper(text_of(*response, "type")) == "OBJECT") parts.push_back("type:" + quoted("OBJECT"));
      out += ",response:{" + comma_joined(parts) + "}";
    }
    out += "}";
  }
  return out;
}

std::string glm4_text(const Json& tools) {
  std::string out =
      "你是一个名为 ChatGLM 的人工智能助手。你是基于智谱 AI 公司训练的语言模型 GLM-4 模型开发的，"
      "你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具";
  for (const Json& tool : tools) {
    const Json& schema = schema_of(tool);
    out += "\n\n## " + schema["name"].get<std::string>() + "\n\n" + python_json(schema, /*indented=*/true) +
           "\n在调用上述函数时，请使用 Json 格式表示调用的参数。";
  }
  return out;
}

std::string llama3_text(const Json& tools, std::time_t now) {
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm local{};
  ::localtime_r(&now, &local);
  return fmt::format(
             "Cutting Knowledge Date: December 2023\nToday Date: {:02} {} {}\n\nYou have access to the following "
             "functions. To call a function, please respond with JSON for a function call. Respond in the format "
             "{{\"name\": function name, \"parameters\": dictionary of argument name and its value}}. Do not use "
             "variables.\n\n",
             local.tm_mday, kMonths.at(static_cast<size_t>(local.tm_mon)), local.tm_year + 1900) +
         listed(tools, "", "\n\n", [](const Json& tool) { return wrapped(tool, /*indented=*/true); });
}

// What qwen, ling and glm4_moe share.
constexpr std::string_view kInToolsTags =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
    "signatures within <tools></tools> XML tags:\n<tools>";
constexpr std::string_view kJsonInToolCallTags =
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
    "<args-json-object>}\n</tool_call>";

std::string in_tools_tags(const Json& tools, std::string_view behind) {
  return std::string(kInToolsTags).append(listed(tools, "\n", "", wrapped_text)).append(behind);
}

constexpr std::string_view kGlm4MoeBehind =
    "\n</tools>\n\nFor each function call, output the function name and arguments within the following XML format:"
    "\n<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>\n<arg_value>{arg-value-1}</arg_value>"
    "\n<arg_key>{arg-key-2}</arg_key>\n<arg_value>{arg-value-2}</arg_value>\n...\n</tool_call>\n";

constexpr std::string_view kQwen35Behind =
    "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
    "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
    "<parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple lines\n"
    "</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified "
    "format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n"
    "- Required parameters MUST be specified\n- You may provide optional reasoning for your function call in natural "
    "language BEFORE the function call, but NOT after\n- If there is no function call available, answer the question "
    "like normal with your current knowledge and do not tell the user about function calls\n</IMPORTANT>";

constexpr std::string_view kSeedOssBefore =
    "system\nYou are Doubao, a helpful AI assistant. You may call one or more functions to assist with the user query."
    "Tool List:\nYou are authorized to use the following tools (described in JSON Schema format). Before performing "
    "any task, you must decide how to call them based on the descriptions and parameters of these tools.\n";
constexpr std::string_view kSeedOssBehind =
    "\n工具调用请遵循如下格式:\n<seed:tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>"
    "value_1</parameter>\n<parameter=example_parameter_2>This is the value for the second parameter\nthat can "
    "span\nmultiple lines</parameter>\n</function>\n</seed:tool_call>\n";

constexpr std::string_view kMinimax1Behind =
    "</tools>\n\nIf you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide "
    "tool-name and json-object of arguments, following the format below:\n<tool_calls>\n{\"name\": <tool-name-1>, "
    "\"arguments\": <args-json-object-1>}\n...\n</tool_calls>";

constexpr std::string_view kMinimax2Before =
    "\n\n# Tools\n\nYou may call one or more tools to assist with the user query.\nHere are the tools available in "
    "JSONSchema format:\n\n<tools>\n";
constexpr std::string_view kMinimax2Behind =
    "</tools>\n\nWhen making tool calls, use XML format to invoke tools and pass parameters:\n\n<minimax:tool_call>\n"
    "<invoke name=\"tool-name-1\">\n<parameter name=\"param-key-1\">param-value-1</parameter>\n<parameter "
    "name=\"param-key-2\">param-value-2</parameter>\n...\n</invoke>\n</minimax:tool_call>";

Json array_of_schemas(const Json& tools) {
  Json out = Json::array();
  for (const Json& tool : tools) out.push_back(schema_of(tool));
  return out;
}

std::string array_of_wrapped(const Json& tools) {
  const std::string all = listed(tools, ", ", "", wrapped_text);
  return "[" + all.substr(2) + "]";
}

}  // namespace

std::string tools_text(ToolFormat format, const std::string& text, std::time_t now) {
  const std::optional<Json> parsed = parse_json_text(text);
  if (!parsed || !parsed->is_array())
    throw invalid_argument("tools must be a JSON array of function schemas; found '{}'", text.substr(0, 200));
  const Json& tools = *parsed;
  if (format == ToolFormat::kPhi4MiniTools) return "<|tool|>" + text + "<|/tool|>";  // as it came
  if (tools.empty()) return "";
  switch (format) {
    case ToolFormat::kDefaultTools:
      return default_text(tools);
    case ToolFormat::kGemma4Tools:
      return gemma4_text(tools);
    case ToolFormat::kGlm4Tools:
      return glm4_text(tools);
    case ToolFormat::kGlm4MoeTools:
      return "\n\n" + in_tools_tags(tools, kGlm4MoeBehind);
    case ToolFormat::kLfm2Tools:
      return "List of tools: <|tool_list_start|>" + python_json(array_of_schemas(tools)) + "<|tool_list_end|>";
    case ToolFormat::kLingTools:
      return in_tools_tags(tools, kJsonInToolCallTags) + "\ndetailed thinking off";
    case ToolFormat::kLlama3Tools:
      return llama3_text(tools, now);
    case ToolFormat::kMinimax1Tools:
      return std::string("You are provided with these tools:\n<tools>\n")
          .append(listed(tools, "", "\n", schema_text))
          .append(kMinimax1Behind);
    case ToolFormat::kMinimax2Tools:
      return std::string(kMinimax2Before)
          .append(listed(tools, "<tool>", "</tool>\n", schema_text))
          .append(kMinimax2Behind);
    case ToolFormat::kMistralTools:
      return "[AVAILABLE_TOOLS] " + array_of_wrapped(tools) + "[/AVAILABLE_TOOLS]";
    case ToolFormat::kQwenTools:
      return "\n\n" + in_tools_tags(tools, kJsonInToolCallTags);
    case ToolFormat::kQwen35Tools:
      return std::string("\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>")
          .append(listed(tools, "\n", "", schema_text))
          .append(kQwen35Behind);
    case ToolFormat::kSeedOssTools:
      return std::string(kSeedOssBefore).append(python_json(tools)).append(kSeedOssBehind);
    case ToolFormat::kPhi4MiniTools:
      break;
  }
  throw internal_error("no such tool format");
}

}  // namespace hearth
