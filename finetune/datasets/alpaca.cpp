// alpaca: instruction and input make the prompt, output is the response, history the turns before them.
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

std::vector<SlotMessage> history_of(const RowView& row, const std::string& column) {
  std::vector<SlotMessage> messages;
  Json* history = row.find(column);
  if (!history || *history == "") return messages;
  if (!history->is_array()) row.fail(column, fmt::format("a list of pairs is wanted, found {}", kind_of(*history)));
  for (size_t i = 0; i < history->size(); ++i) {
    Json& pair = (*history)[i];
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
      row.fail(column, fmt::format("turn {} must be a pair of texts", i + 1));
    messages.push_back({Role::kUser, std::move(pair[0].get_ref<std::string&>())});
    messages.push_back({Role::kAssistant, std::move(pair[1].get_ref<std::string&>())});
  }
  return messages;
}

// Only texts are responses; the reference takes anything else for none.
std::optional<SlotMessage> response_of(const RowView& row, const std::string& column) {
  Json* value = row.find(column);
  if (!value || !value->is_string()) return std::nullopt;
  return SlotMessage{Role::kAssistant, std::move(value->get_ref<std::string&>())};
}

}  // namespace

Aligned align_alpaca(const RowView& row, const DatasetInfo& info) {
  const DatasetColumns& columns = info.columns;
  Aligned out;
  Example& example = out.example;
  example.system = row.text(columns.system);
  example.prompt = history_of(row, columns.history);
  std::string prompt = row.text(columns.prompt);
  const std::string query = row.text(columns.query);
  if (!prompt.empty() && !query.empty()) prompt += '\n';
  example.prompt.push_back({Role::kUser, prompt + query});
  if (const std::optional<bool> verdict = row.verdict(columns.kto_tag)) {
    example.response.push_back({Role::kAssistant, row.text(columns.response)});
    set_verdict(example, *verdict);
    return out;
  }
  if (info.ranking) {
    std::optional<SlotMessage> chosen = response_of(row, columns.chosen), rejected = response_of(row, columns.rejected);
    if (chosen && rejected) {
      example.response = {std::move(*chosen), std::move(*rejected)};
      return out;
    }
  }
  if (std::optional<SlotMessage> response = response_of(row, columns.response))
    example.response.push_back(std::move(*response));
  return out;
}

}  // namespace hearth
