// openai_chat: OpenAI's lines of supervised fine-tuning, {"messages": [...], "tools": [...]}. Besides what formatting
// openai reads, system and developer messages may be several, and an assistant's message with "weight": 0 is there for
// its context alone. Source: platform.openai.com, "Supervised fine-tuning".
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

bool is_learnt(const RowView& row, const Json& message, const std::string& where, const std::string& column) {
  const auto weight = message.find("weight");
  if (weight == message.end() || weight->is_null()) return true;
  if (!weight->is_number() || (*weight != 0 && *weight != 1))
    row.fail(column, fmt::format("{}: 'weight' must be 0 or 1", where));
  return *weight == 1;
}

}  // namespace

Aligned align_openai_chat(const RowView& row, const DatasetInfo& info) {
  const std::string& column = info.columns.messages;
  std::vector<Json> list = take_list(row, row.find(column), column);
  std::string system = take_system(row, info, list, column), dropped;
  std::vector<size_t> unlearnt;
  size_t answers = 0;
  for (const Json& message : list) {
    const std::string where = fmt::format("message {}", &message - list.data() + 1);
    if (role_of(row, info, message, where, column) != info.tags.assistant_tag) continue;
    if (!is_learnt(row, message, where, column)) unlearnt.push_back(answers);
    ++answers;
  }
  std::vector<SlotMessage> messages = openai_messages(row, info, std::move(list), column, dropped);
  if (dropped.empty() && answers > 0 && unlearnt.size() == answers)
    dropped = fmt::format("column '{}': every answer has weight 0", column);
  if (!dropped.empty()) return {{}, std::move(dropped)};
  Aligned out = finish_messages(row, info, std::move(messages));
  out.example.system = std::move(system);
  out.example.unlearnt = std::move(unlearnt);
  return out;
}

}  // namespace hearth
