// openai: messages with role and content, an assistant's tool_calls, results of tools. Results that follow each other
// become one observation, joined as LLaMA-Factory joins them; those behind the last answer are nobody's and are left
// out. In OpenAI's own
// formats what an assistant says beside its calls is kept, which LLaMA-Factory's loses.
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"
#include "templates/llamafactory/python_text.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

constexpr std::string_view kDeveloper = "developer";  // the system of newer models
constexpr std::string_view kBetweenResults = "\n</tool_response>\n<tool_response>\n";

// The function of every call, as one JSON list; nothing where the message calls none.
std::optional<std::string> calls_of(const RowView& row, Json& message, const std::string& where,
                                    const std::string& column) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null() || (calls->is_array() && calls->empty())) return std::nullopt;
  if (!calls->is_array())
    row.fail(column, fmt::format("{}: 'tool_calls' must be a list, found {}", where, kind_of(*calls)));
  Json functions = Json::array();
  for (Json& call : *calls) {
    if (!call.is_object() || !call.contains("function"))
      row.fail(column, fmt::format("{}: each of 'tool_calls' must be an object with 'function'", where));
    functions.push_back(std::move(call["function"]));
  }
  return python_json(functions);
}

// Arguments are a JSON text in OpenAI's lines; templates want what it says, as serving gives it to them.
std::vector<ToolCall> parsed_calls(const RowView& row, const std::string& text, const std::string& where,
                                   const std::string& column) {
  std::vector<ToolCall> calls;
  try {
    calls = parse_tool_calls(text);
  } catch (const Error& error) {
    row.fail(column, fmt::format("{}: {}", where, error.what()));
  }
  for (ToolCall& call : calls) {
    if (call.arguments.is_string())
      call.arguments = parse_json_text(call.arguments.get<std::string>()).value_or(Json());
    if (!call.arguments.is_object())
      row.fail(column, fmt::format("{}: the arguments of '{}' must be a JSON object", where, call.name));
  }
  return calls;
}

bool has_text(const Json& message, const std::string& content_tag) {
  const auto content = message.find(content_tag);
  return content != message.end() && !content->is_null() && !content->empty() && *content != "";
}

}  // namespace

std::vector<SlotMessage> openai_messages(const RowView& row, const DatasetInfo& info, std::vector<Json> list,
                                         const std::string& column, std::string& dropped) {
  std::vector<SlotMessage> messages;
  bool joins = false;  // the message before is a result
  for (Json& message : list) {
    const std::string where = fmt::format("message {}", &message - list.data() + 1);
    const std::string tag = role_of(row, info, message, where, column);
    const std::optional<Role> role = find_role(info.tags, tag);
    if (!role && tag == info.tags.system_tag) {
      dropped = fmt::format("column '{}': {} is of '{}', which may only be the first", column, where, tag);
      return {};
    }
    if (!role) row.fail(column, fmt::format("{} is of '{}', which is none of the dataset's tags", where, tag));
    std::optional<std::string> calls;
    if (!is_prompt_role(*role)) calls = calls_of(row, message, where, column);
    SlotMessage read{calls ? Role::kFunction : *role};
    if (calls && is_openais_own(info.formatting)) {
      read.calls = parsed_calls(row, *calls, where, column);
      if (has_text(message, info.tags.content_tag)) read.content = content_of(row, info, message, where, column);
    } else {
      read.content = calls ? std::move(*calls) : content_of(row, info, message, where, column);
    }
    if (joins && read.role == Role::kObservation)
      messages.back().content += std::string(kBetweenResults) + read.content;
    else
      messages.push_back(std::move(read));
    joins = messages.back().role == Role::kObservation;
  }
  return messages;
}

std::string take_system(const RowView& row, const DatasetInfo& info, std::vector<Json>& list,
                        const std::string& column) {
  std::string system;
  size_t count = 0;
  for (; count < list.size(); ++count) {
    const std::string where = fmt::format("message {}", count + 1);
    const std::string role = role_of(row, info, list[count], where, column);
    if (role.empty() || (role != info.tags.system_tag && role != kDeveloper)) break;
    system += (system.empty() ? "" : "\n\n") + content_of(row, info, list[count], where, column);
  }
  list.erase(list.begin(), list.begin() + static_cast<ptrdiff_t>(count));
  return system;
}

SlotMessage only_answer(const RowView& row, const DatasetInfo& info, std::vector<Json> list, const std::string& column,
                        std::string& fault) {
  if (list.size() != 1) {
    fault = fmt::format("{} messages, where one of '{}' belongs", list.size(), info.tags.assistant_tag);
    return {};
  }
  const std::string tag = role_of(row, info, list[0], "message 1", column);
  const std::optional<Role> role = find_role(info.tags, tag);
  if (!role || is_prompt_role(*role)) {
    fault = fmt::format("the message is of '{}' where '{}' belongs", tag, info.tags.assistant_tag);
    return {};
  }
  std::vector<SlotMessage> messages = openai_messages(row, info, std::move(list), column, fault);
  check_calls(messages.front(), row, column);
  return std::move(messages.front());
}

Aligned align_openai(const RowView& row, const DatasetInfo& info) {
  std::string system, dropped;
  std::vector<Json> list = take_messages(row, info, system);
  std::vector<SlotMessage> messages = openai_messages(row, info, std::move(list), info.columns.messages, dropped);
  if (!dropped.empty()) return {{}, std::move(dropped)};
  if (!messages.empty() && messages.back().role == Role::kObservation) messages.pop_back();
  Aligned out = finish_messages(row, info, std::move(messages));
  out.example.system = std::move(system);
  return out;
}

}  // namespace hearth
