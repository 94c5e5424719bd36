#include "templates/llamafactory/tool_format.h"

#include "runtime/base/error.h"
#include "templates/llamafactory/python_text.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

struct NamedFormat {
  std::string_view name;
  ToolFormat format;
};

// phi4_mini is no tool_format of the reference, only that template's own.
constexpr NamedFormat kFormats[] = {
    {"default", ToolFormat::kDefaultTools},   {"gemma4", ToolFormat::kGemma4Tools},
    {"glm4", ToolFormat::kGlm4Tools},         {"llama3", ToolFormat::kLlama3Tools},
    {"lfm2", ToolFormat::kLfm2Tools},         {"minimax1", ToolFormat::kMinimax1Tools},
    {"minimax2", ToolFormat::kMinimax2Tools}, {"mistral", ToolFormat::kMistralTools},
    {"qwen", ToolFormat::kQwenTools},         {"qwen3_5", ToolFormat::kQwen35Tools},
    {"glm4_moe", ToolFormat::kGlm4MoeTools},  {"seed_oss", ToolFormat::kSeedOssTools},
    {"ling", ToolFormat::kLingTools},
};

ToolCall tool_call(const Json& json) {
  const auto field = [&json](const char* key) -> const Json& {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || found == json.end())
      throw invalid_argument("a function message's call must be an object with 'name' and 'arguments', not {}",
                             json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 200));
    return *found;
  };
  const Json& name = field("name");
  if (!name.is_string()) throw invalid_argument("a function message's call has a name that is no text");
  return {name.get<std::string>(), field("arguments")};
}

}  // namespace

std::string_view tool_format_name(ToolFormat format) {
  for (const NamedFormat& one : kFormats)
    if (one.format == format) return one.name;
  return "phi4_mini";
}

std::optional<ToolFormat> find_tool_format(std::string_view name) {
  for (const NamedFormat& one : kFormats)
    if (one.name == name) return one.format;
  return std::nullopt;
}

std::vector<std::string_view> tool_format_names() {
  std::vector<std::string_view> names;
  for (const NamedFormat& one : kFormats) names.push_back(one.name);
  return names;
}

std::vector<ToolCall> parse_tool_calls(std::string_view json) {
  const std::optional<Json> parsed = parse_json_text(json);
  if (!parsed)
    throw invalid_argument("a function message must be JSON, {{\"name\": ..., \"arguments\": {{...}}}}; found '{}'",
                           json.substr(0, 200));
  std::vector<ToolCall> calls;
  if (!parsed->is_array()) return {tool_call(*parsed)};
  for (const Json& call : *parsed) calls.push_back(tool_call(call));
  return calls;
}

}  // namespace hearth
