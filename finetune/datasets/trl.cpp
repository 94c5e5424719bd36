// trl: TRL's dataset types (its dataset_formats.md): preference with a prompt or an implicit one, unpaired preference,
// prompt and completion, messages; each of texts, or of lists of messages. A text is a user's message or an answer,
// which the job's template writes as those of other formats. Source: TRL 1.16, data_utils.py.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

const std::string kPrompt = "prompt";

// Whether these columns hold lists of messages; else all of them hold texts.
bool are_conversations(const RowView& row, const std::vector<std::string>& columns) {
  for (const std::string& column : columns) {
    const Json* value = row.find(column);
    if (!value || (!value->is_string() && !value->is_array()))
      row.fail(column,
               fmt::format("a text or a list of messages is wanted, found {}", value ? kind_of(*value) : "none"));
    if (const Json* first = row.find(columns.front()); first->is_array() != value->is_array())
      row.fail(column, fmt::format("it is {}, but column '{}' {}: all must be texts, or all lists of messages",
                                   kind_of(*value), columns.front(), kind_of(*first)));
  }
  return row.find(columns.front())->is_array();
}

// A key that is null is as good as none, and their order says nothing.
nlohmann::json comparable(const Json& message) {
  nlohmann::json out = message;
  for (auto it = out.begin(); out.is_object() && it != out.end();) it = it->is_null() ? out.erase(it) : std::next(it);
  return out;
}

// extract_prompt leaves an element to either, also where one begins with the whole other.
size_t most_in_common(size_t a, size_t b) { return std::max<size_t>(std::min(a, b), 1) - 1; }

std::string take_common_text(std::vector<std::string>& texts) {
  const std::string &a = texts[0], &b = texts[1];
  const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  size_t size = 0;
  while (size < std::min(a.size(), b.size()) && a[size] == b[size]) ++size;
  const bool differ = size < std::min(a.size(), b.size());
  if (!differ) size = most_in_common(a.size(), b.size());
  while (size > 0 && !begins_character(a[size])) --size;
  if (differ && size > 0 && a[size - 1] == ' ') --size;
  std::string common = a.substr(0, size);
  for (std::string& text : texts) text.erase(0, size);
  return common;
}

std::vector<Json> take_common_messages(std::vector<std::vector<Json>>& lists) {
  const size_t most = most_in_common(lists[0].size(), lists[1].size());
  size_t size = 0;
  while (size < most && comparable(lists[0][size]) == comparable(lists[1][size])) ++size;
  const auto end = [size](std::vector<Json>& list) { return list.begin() + static_cast<ptrdiff_t>(size); };
  std::vector<Json> common(std::make_move_iterator(lists[0].begin()), std::make_move_iterator(end(lists[0])));
  for (std::vector<Json>& list : lists) list.erase(list.begin(), end(list));
  return common;
}

Aligned align_texts(const RowView& row, const std::string& prompt_column, const std::vector<std::string>& answers) {
  std::vector<std::string> texts;
  texts.reserve(answers.size());
  for (const std::string& column : answers) texts.push_back(row.text(column));
  Aligned out;
  Example& example = out.example;
  example.prompt.push_back({Role::kUser, row.find(prompt_column) ? row.text(prompt_column) : take_common_text(texts)});
  for (std::string& text : texts) example.response.push_back({Role::kAssistant, std::move(text)});
  return out;
}

Aligned align_conversations(const RowView& row, const DatasetInfo& info, const std::vector<std::string>& answers) {
  std::vector<std::vector<Json>> lists;
  lists.reserve(answers.size());
  for (const std::string& column : answers) lists.push_back(take_list(row, row.find(column), column));
  Json* given = row.find(info.columns.prompt);
  const std::string& column = given ? info.columns.prompt : answers.front();
  std::vector<Json> prompt = given ? take_list(row, given, column) : take_common_messages(lists);
  Aligned out;
  Example& example = out.example;
  example.system = take_system(row, info, prompt, column);
  example.prompt = openai_messages(row, info, std::move(prompt), column, out.dropped);
  if (out.dropped.empty()) out.dropped = order_fault(example.prompt, info.tags, column, /*prompt_alone=*/true);
  if (!out.dropped.empty()) return out;
  for (const SlotMessage& message : example.prompt) check_calls(message, row, column);
  const std::string_view behind = given ? "" : " behind what both have in common";
  for (size_t i = 0; i < answers.size(); ++i) {
    std::string fault;
    example.response.push_back(only_answer(row, info, std::move(lists[i]), answers[i], fault));
    if (!fault.empty()) out.dropped = fmt::format("column '{}'{}: {}", answers[i], behind, fault);
  }
  return out;
}

Aligned align_messages(const RowView& row, const DatasetInfo& info) {
  const std::string& column = info.columns.messages;
  std::vector<Json> list = take_list(row, row.find(column), column);
  std::string system = take_system(row, info, list, column), dropped;
  std::vector<SlotMessage> messages = openai_messages(row, info, std::move(list), column, dropped);
  if (!dropped.empty()) return {{}, std::move(dropped)};
  Aligned out = finish_messages(row, info, std::move(messages));
  out.example.system = std::move(system);
  return out;
}

}  // namespace

Aligned align_trl(const RowView& row, const DatasetInfo& info) {
  const DatasetColumns& columns = info.columns;
  if (!info.ranking && !columns.messages.empty()) return align_messages(row, info);
  if (info.has_implicit_prompts && row.find(kPrompt))
    row.fail(kPrompt, "the file's first row has none, so prompts are taken to be implicit: give all rows one, or none");
  std::vector<std::string> answers;
  if (info.ranking)
    answers = {columns.chosen, columns.rejected};
  else
    answers = {columns.response};
  std::vector<std::string> all = answers;
  if (!info.ranking || row.find(columns.prompt)) all.push_back(columns.prompt);
  Aligned out =
      are_conversations(row, all) ? align_conversations(row, info, answers) : align_texts(row, columns.prompt, answers);
  const std::optional<bool> verdict = row.verdict(columns.kto_tag);
  if (verdict && out.dropped.empty()) set_verdict(out.example, *verdict);
  return out;
}

}  // namespace hearth
