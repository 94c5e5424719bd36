#include "templates/tool_parsers/call_format.h"

#include <algorithm>
#include <array>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr CallFormat kFormats[] = {
    {.name = "hermes", .call_begin = "<tool_call>\n", .call_end = "\n</tool_call>", .between = "\n"},
    {.name = "qwen3_coder",
     .body = CallBody::kParameters,
     .begin = "<tool_call>\n",
     .end = "\n</tool_call>",
     .call_begin = "<function=",
     .call_end = "</function>",
     .between = "\n</tool_call>\n<tool_call>\n",
     .name_end = ">\n",
     .key_begin = "<parameter=",
     .key_end = ">\n",
     .value_end = "\n</parameter>\n"},
    {.name = "llama3_json", .between = "; ", .tag = "<|python_tag|>", .arguments_key = "parameters"},
    {.name = "pythonic", .body = CallBody::kPython},
    {.name = "lfm2", .body = CallBody::kPython, .begin = "<|tool_call_start|>", .end = "<|tool_call_end|>"},
    {.name = "mistral", .begin = "[TOOL_CALLS]", .is_list = true, .short_ids = true},
    {.name = "mistral_v11",
     .body = CallBody::kNamed,
     .call_begin = "[TOOL_CALLS]",
     .id_begin = "[CALL_ID]",
     .name_end = "[ARGS]",
     .short_ids = true},
    {.name = "deepseek_v3",
     .body = CallBody::kNamed,
     .begin = "<｜tool▁calls▁begin｜>",
     .end = "<｜tool▁calls▁end｜>",
     .call_begin = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
     .call_end = "\n```<｜tool▁call▁end｜>",
     .between = "\n",
     .name_end = "\n```json\n"},
    {.name = "deepseek_v31",
     .body = CallBody::kNamed,
     .begin = "<｜tool▁calls▁begin｜>",
     .end = "<｜tool▁calls▁end｜>",
     .call_begin = "<｜tool▁call▁begin｜>",
     .call_end = "<｜tool▁call▁end｜>",
     .name_end = "<｜tool▁sep｜>"},
    {.name = "glm4", .body = CallBody::kNamed, .name_end = "\n"},
    {.name = "glm45",
     .body = CallBody::kParameters,
     .call_begin = "<tool_call>",
     .call_end = "</tool_call>",
     .between = "\n",
     .name_end = "\n",
     .key_begin = "<arg_key>",
     .key_end = "</arg_key>\n<arg_value>",
     .value_end = "</arg_value>\n"},
    {.name = "functionary_v32", .body = CallBody::kNamed, .call_begin = ">>>", .name_end = "\n", .text_name = "all"},
    {.name = "functionary_v31",
     .body = CallBody::kNamed,
     .call_begin = "<function=",
     .call_end = "</function>",
     .name_end = ">"},
    {.name = "harmony", .body = CallBody::kHarmony},
    {.name = "granite", .begin = "<|tool_call|>", .is_list = true},
    {.name = "command_r",
     .begin = "<|START_ACTION|>",
     .end = "<|END_ACTION|>",
     .is_list = true,
     .name_key = "tool_name",
     .arguments_key = "parameters"},
    {.name = "minimax_m1", .begin = "<tool_calls>\n", .end = "\n</tool_calls>", .between = "\n"},
    {.name = "minimax_m2",
     .body = CallBody::kParameters,
     .begin = "<minimax:tool_call>\n",
     .end = "\n</minimax:tool_call>",
     .call_begin = "<invoke name=\"",
     .call_end = "</invoke>",
     .between = "\n",
     .name_end = "\">\n",
     .key_begin = "<parameter name=\"",
     .key_end = "\">",
     .value_end = "</parameter>\n"},
    {.name = "seed_oss",
     .body = CallBody::kParameters,
     .begin = "<seed:tool_call>\n",
     .end = "\n</seed:tool_call>",
     .call_begin = "<function=",
     .call_end = "</function>",
     .between = "\n</seed:tool_call>\n<seed:tool_call>\n",
     .name_end = ">\n",
     .key_begin = "<parameter=",
     .key_end = ">",
     .value_end = "</parameter>\n"},
    {.name = "gemma4", .body = CallBody::kGemma4, .call_begin = "<|tool_call>call:", .call_end = "<tool_call|>"},
    {.name = "functools", .begin = " functools", .is_list = true},
    {.name = "default",
     .body = CallBody::kNamed,
     .call_begin = "Action: ",
     .between = "\n",
     .name_end = "\nAction Input: "},
};

// The first row whose marks are all in a template says which format it shows.
struct Sign {
  std::string_view format;
  std::array<std::string_view, 2> marks;
};
constexpr Sign kSigns[] = {
    {"harmony", {"<|channel|>", "<|message|>"}},
    {"command_r", {"<|START_ACTION|>", ""}},
    {"minimax_m2", {"minimax:tool_call", ""}},
    {"seed_oss", {"<seed:tool_call>", ""}},
    {"deepseek_v3", {"<｜tool▁calls▁begin｜>", "```json"}},
    {"deepseek_v31", {"<｜tool▁calls▁begin｜>", ""}},
    {"gemma4", {"<|tool_call>", ""}},
    {"mistral_v11", {"[TOOL_CALLS]", "[ARGS]"}},
    {"mistral", {"[TOOL_CALLS]", ""}},
    {"functionary_v32", {">>>all", ""}},
    {"qwen3_coder", {"<function=", "<parameter="}},
    {"functionary_v31", {"<function=", ""}},
    {"glm45", {"<arg_key>", ""}},
    {"minimax_m1", {"<tool_calls>", ""}},
    {"lfm2", {"<|tool_call_start|>", ""}},
    {"lfm2", {"List of tools: [", "<|im_start|>"}},
    {"granite", {"<|tool_call|>", ""}},
    {"functools", {"functools", ""}},
    {"hermes", {"<tool_call>", ""}},
    {"pythonic", {"[func_name1(", ""}},
    {"llama3_json", {"{\"name\": function name", ""}},
    {"llama3_json", {"<|python_tag|>", ""}},
    {"hermes", {"tools", "tool_calls"}},
};

constexpr ReasoningFormat kReasoning[] = {
    {"<think>", "</think>"},
    {"<seed:think>", "</seed:think>"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"<|channel>thought", "<channel|>"},
    {"[THINK]", "[/THINK]"},
};

bool contains(std::string_view text, std::string_view what) { return text.find(what) != std::string_view::npos; }

}  // namespace

std::string_view bare_mark(std::string_view mark) {
  const size_t begin = mark.find_first_not_of(" \n");
  if (begin == std::string_view::npos) return {};
  return mark.substr(begin, mark.find_last_not_of(" \n") + 1 - begin);
}

std::vector<std::string> CallFormat::text_marks() const {
  std::vector<std::string> out;
  for (const std::string_view mark : {begin, tag, call_begin})
    if (const std::string_view bare = bare_mark(mark); !bare.empty()) out.emplace_back(bare);
  return out;
}

std::vector<std::string> CallFormat::marks() const {
  if (body == CallBody::kHarmony)
    return {"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"};
  std::vector<std::string> out;
  for (const std::string_view mark :
       {begin, end, call_begin, call_end, tag, id_begin, name_end, key_begin, key_end, value_end})
    if (const std::string_view bare = bare_mark(mark); !bare.empty()) out.emplace_back(bare);
  if (body == CallBody::kGemma4) out.emplace_back("<|\"|>");
  return out;
}

std::span<const CallFormat> call_formats() { return kFormats; }

const CallFormat* find_call_format(std::string_view name) {
  const auto* found = std::ranges::find(kFormats, name, &CallFormat::name);
  return found == std::end(kFormats) ? nullptr : found;
}

void check_call_format(std::string_view name, std::string_view where) {
  if (find_call_format(name) != nullptr) return;
  std::vector<std::string_view> names;
  for (const CallFormat& format : kFormats) names.push_back(format.name);
  throw invalid_argument("{}: no parser of tool calls is called '{}'{}; there are {}", where, name,
                         did_you_mean(name, names), fmt::join(names, ", "));
}

const CallFormat* call_format_of_template(std::string_view source) {
  for (const Sign& sign : kSigns)
    if (std::ranges::all_of(sign.marks, [&](std::string_view mark) { return contains(source, mark); }))
      return find_call_format(sign.format);
  return nullptr;
}

const CallFormat& call_format_of(ToolFormat format) {
  const auto name = [format]() -> std::string_view {
    switch (format) {
      case ToolFormat::kDefaultTools:
      case ToolFormat::kPhi4MiniTools:
        return "default";
      case ToolFormat::kGemma4Tools:
        return "gemma4";
      case ToolFormat::kGlm4Tools:
        return "glm4";
      case ToolFormat::kGlm4MoeTools:
        return "glm45";
      case ToolFormat::kLfm2Tools:
        return "lfm2";
      case ToolFormat::kLlama3Tools:
        return "llama3_json";
      case ToolFormat::kMinimax1Tools:
        return "minimax_m1";
      case ToolFormat::kMinimax2Tools:
        return "minimax_m2";
      case ToolFormat::kMistralTools:
        return "mistral";
      case ToolFormat::kLingTools:
      case ToolFormat::kQwenTools:
        return "hermes";
      case ToolFormat::kQwen35Tools:
        return "qwen3_coder";
      case ToolFormat::kSeedOssTools:
        return "seed_oss";
    }
    throw internal_error("no such tool format");
  };
  return *find_call_format(name());
}

const CallFormat& default_call_format() { return *find_call_format("default"); }

ReasoningFormat reasoning_of_template(std::string_view source) {
  for (const ReasoningFormat& format : kReasoning)
    if (contains(source, format.end)) return format;
  return {};
}

bool has_begun(const ReasoningFormat& format, std::string_view prompt) {
  return !format.empty() && bare_mark(prompt).ends_with(format.begin);
}

bool has_ended(const ReasoningFormat& format, std::string_view prompt) {
  return !format.empty() && bare_mark(prompt).ends_with(format.end);
}

std::vector<std::string> MessageFormat::marks() const {
  std::vector<std::string> out;
  if (calls != nullptr) out = calls->marks();
  for (const std::string_view mark : {reasoning.begin, reasoning.end})
    if (!mark.empty()) out.emplace_back(mark);
  return out;
}

}  // namespace hearth
