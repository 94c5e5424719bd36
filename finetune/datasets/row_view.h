// A row and its place, for the converters: a value of the wrong type is a BadExample that names its column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "finetune/datasets/convert.h"

namespace hearth {

class RowView {
 public:
  using Json = nlohmann::ordered_json;

  explicit RowView(Row& row) : row_(row) {}

  const std::string& place() const { return row_.place; }
  // Null for no column, and where the row has none or null.
  Json* find(const std::string& column) const {
    if (column.empty()) return nullptr;
    const auto found = row_.value.find(column);
    return found == row_.value.end() || found->is_null() ? nullptr : &*found;
  }
  // Taken out of the row; empty where there is none.
  std::string text(const std::string& column) const;
  // The JSON text of a list of schemas, given as text or as JSON; empty: none.
  std::string tools(const std::string& column) const;
  std::string tools(Json& value, const std::string& column) const;  // of `value`, which `column` names in messages
  // Paths of images, videos or audios.
  std::vector<std::string> media(const std::string& column, const std::filesystem::path& media_dir) const;
  // Of kto; nothing where it is neither true nor false. (csv has words for them.)
  std::optional<bool> verdict(const std::string& column) const;

  [[noreturn]] void fail(const std::string& column, const std::string& reason) const {
    throw BadExample(place(), column, reason);
  }

 private:
  Row& row_;
};

// "a list"
std::string_view kind_of(const nlohmann::ordered_json& value);

// Throws BadExample for a function turn without the calls that it should hold.
void check_calls(const SlotMessage& message, const RowView& row, const std::string& column);

// Of kto: the one response becomes {answer, nothing} or {nothing, answer}.
void set_verdict(Example& example, bool verdict);

// What sharegpt and openai share once a row's messages are known: their order and number, the response or the pair of
// them. `messages` has no system message.
Aligned finish_messages(const RowView& row, const DatasetInfo& info, std::vector<SlotMessage> messages);
// Why messages in this order teach nothing; empty: they do. A prompt alone ends where an answer belongs.
std::string order_fault(const std::vector<SlotMessage>& messages, const DatasetTags& tags, const std::string& column,
                        bool prompt_alone);
// Of a message object: its role tag, and its text; parts of type "text" are put together.
std::string role_of(const RowView& row, const DatasetInfo& info, const nlohmann::ordered_json& message,
                    const std::string& where, const std::string& column);
std::string content_of(const RowView& row, const DatasetInfo& info, nlohmann::ordered_json& message,
                       const std::string& where, const std::string& column);
// Nothing for a tag that is no writer's.
std::optional<SlotMessage::Role> find_role(const DatasetTags& tags, const std::string& tag);
bool is_prompt_role(SlotMessage::Role role);
// The messages of the row; the first is taken off when it is the system's, whose text goes to `system`.
std::vector<nlohmann::ordered_json> take_messages(const RowView& row, const DatasetInfo& info, std::string& system);

// The list that `value` must be, which may be null.
std::vector<nlohmann::ordered_json> take_list(const RowView& row, nlohmann::ordered_json* value,
                                              const std::string& column);

// What formats of OpenAI's messages share: an assistant's tool_calls are a message of the function role, results of
// tools that follow each other one observation. `dropped`: why nothing can be learnt from them.
std::vector<SlotMessage> openai_messages(const RowView& row, const DatasetInfo& info,
                                         std::vector<nlohmann::ordered_json> list, const std::string& column,
                                         std::string& dropped);
// The texts of the messages of system and developer that `list` begins with, which are taken off it.
std::string take_system(const RowView& row, const DatasetInfo& info, std::vector<nlohmann::ordered_json>& list,
                        const std::string& column);
// The assistant's message that `list` is; or `fault` says why it is not.
SlotMessage only_answer(const RowView& row, const DatasetInfo& info, std::vector<nlohmann::ordered_json> list,
                        const std::string& column, std::string& fault);

Aligned align_alpaca(const RowView& row, const DatasetInfo& info);
Aligned align_sharegpt(const RowView& row, const DatasetInfo& info);
Aligned align_openai(const RowView& row, const DatasetInfo& info);
Aligned align_openai_preference(const RowView& row, const DatasetInfo& info);
Aligned align_openai_chat(const RowView& row, const DatasetInfo& info);
Aligned align_trl(const RowView& row, const DatasetInfo& info);

}  // namespace hearth
