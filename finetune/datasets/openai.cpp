// openai: messages with role and content, an assistant's tool_calls, results of tools. Results that follow each other
// become one observation, joined as LLaMA-Factory joins them; those behind the last answer are nobody's and are left
// out.
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"
#include "templates/llamafactory/python_text.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

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

}  // namespace

Aligned align_openai(const RowView& row, const DatasetInfo& info) {
  const std::string& column = info.columns.messages;
  std::string system;
  std::vector<Json> list = take_messages(row, info, system);
  std::vector<SlotMessage> messages;
  std::optional<std::string> results;
  for (Json& message : list) {
    const std::string where = fmt::format("message {}", &message - list.data() + 1);
    const std::string tag = role_of(row, info, message, where, column);
    std::optional<Role> role = find_role(info.tags, tag);
    if (!role && tag == info.tags.system_tag)
      return {{}, fmt::format("column '{}': {} is of '{}', which may only be the first", column, where, tag)};
    if (!role) row.fail(column, fmt::format("{} is of '{}', which is none of the dataset's tags", where, tag));
    std::optional<std::string> calls;
    if (!is_prompt_role(*role)) calls = calls_of(row, message, where, column);
    std::string content = calls ? std::move(*calls) : content_of(row, info, message, where, column);
    if (calls) role = Role::kFunction;
    if (role == Role::kObservation) {
      results = results ? *results + std::string(kBetweenResults) + content : content;
      continue;
    }
    if (results) messages.push_back({Role::kObservation, *std::exchange(results, std::nullopt)});
    messages.push_back({*role, std::move(content)});
  }
  Aligned out = finish_messages(row, info, std::move(messages));
  out.example.system = std::move(system);
  return out;
}

}  // namespace hearth
