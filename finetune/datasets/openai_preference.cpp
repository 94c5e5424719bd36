// OpenAI's lines of preference fine-tuning: {"input": {"messages", "tools"}, "preferred_output": [one message],
// "non_preferred_output": [one message]}. Source: platform.openai.com, "Direct preference optimization".
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {

Aligned align_openai_preference(const RowView& row, const DatasetInfo& info) {
  using Json = nlohmann::ordered_json;
  const DatasetColumns& columns = info.columns;
  Json* input = row.find(columns.prompt);
  if (!input || !input->is_object())
    row.fail(columns.prompt,
             fmt::format("an object with 'messages' is wanted, found {}", input ? kind_of(*input) : "none"));
  Aligned out;
  Example& example = out.example;
  const std::string column = columns.prompt + ".messages";
  std::vector<Json> list = take_list(row, input->contains("messages") ? &(*input)["messages"] : nullptr, column);
  example.system = take_system(row, info, list, column);
  example.prompt = openai_messages(row, info, std::move(list), column, out.dropped);
  if (out.dropped.empty()) out.dropped = order_fault(example.prompt, info.tags, column, /*prompt_alone=*/true);
  if (!out.dropped.empty()) return out;
  for (const SlotMessage& message : example.prompt) check_calls(message, row, column);
  for (const std::string& answer : {columns.chosen, columns.rejected}) {
    std::string fault;
    example.response.push_back(only_answer(row, info, take_list(row, row.find(answer), answer), answer, fault));
    if (!fault.empty()) row.fail(answer, fault);
  }
  if (input->contains("tools")) example.tools = row.tools((*input)["tools"], columns.prompt + ".tools");
  return out;
}

}  // namespace hearth
