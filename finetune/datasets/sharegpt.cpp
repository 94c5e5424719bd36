// sharegpt: a list of messages by turns, and what it shares with openai's messages.
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/row_view.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Role = SlotMessage::Role;

// "human or observation"
std::string wanted_at(size_t turn, const DatasetTags& tags) {
  const std::string& first = turn % 2 == 0 ? tags.user_tag : tags.assistant_tag;
  const std::string& second = turn % 2 == 0 ? tags.observation_tag : tags.function_tag;
  return second.empty() ? first : first + " or " + second;
}

std::string_view tag_of(Role role, const DatasetTags& tags) {
  switch (role) {
    case Role::kUser:
      return tags.user_tag;
    case Role::kAssistant:
      return tags.assistant_tag;
    case Role::kFunction:
      return tags.function_tag;
    case Role::kObservation:
      break;
  }
  return tags.observation_tag;
}

Json& part_of(const RowView& row, const DatasetInfo& info, Json& message, const std::string& key,
              const std::string& where, const std::string& column) {
  if (!message.is_object()) row.fail(column, fmt::format("{} must be an object, found {}", where, kind_of(message)));
  const auto found = message.find(key);
  if (found != message.end()) return *found;
  const bool openai_keys = message.contains("role") && info.tags.role_tag != "role";
  row.fail(column, fmt::format("{} has no '{}'{}", where, key,
                               openai_keys ? ": give the dataset \"tags\" with role_tag, content_tag, user_tag and "
                                             "assistant_tag in dataset_info.json"
                                           : ""));
}

// A list of {"type": "text", "text"}, as some write the text of a message.
std::optional<std::string> text_of_parts(const Json& content, std::string_view between) {
  if (!content.is_array() || content.empty()) return std::nullopt;
  std::string out;
  for (const Json& part : content) {
    if (!part.is_object() || part.value("type", Json()) != "text") return std::nullopt;
    const auto text = part.find("text");
    if (text == part.end() || !text->is_string()) return std::nullopt;
    if (&part != &content.front()) out += between;
    out += text->get_ref<const std::string&>();
  }
  return out;
}

// The answer of a pair, which is a message of its own.
SlotMessage answer_of(const RowView& row, const DatasetInfo& info, const std::string& column, std::string& dropped) {
  Json& message = *row.find(column);
  const std::string tag = role_of(row, info, message, "it", column);
  const std::optional<Role> role = find_role(info.tags, tag);
  if (!role || is_prompt_role(*role))
    dropped = fmt::format("column '{}': the role is '{}' where {} belongs", column, tag, wanted_at(1, info.tags));
  SlotMessage answer{role.value_or(Role::kAssistant), content_of(row, info, message, "it", column)};
  if (dropped.empty()) check_calls(answer, row, column);
  return answer;
}

}  // namespace

std::string order_fault(const std::vector<SlotMessage>& messages, const DatasetTags& tags, const std::string& column,
                        bool prompt_alone) {
  for (size_t i = 0; i < messages.size(); ++i)
    if (is_prompt_role(messages[i].role) != (i % 2 == 0))
      return fmt::format("column '{}': message {} is of '{}' where {} belongs", column, i + 1,
                         tag_of(messages[i].role, tags), wanted_at(i, tags));
  if (messages.size() % 2 != (prompt_alone ? 1 : 0))
    return fmt::format("column '{}': {} messages without the system's, an {} number is wanted", column, messages.size(),
                       prompt_alone ? "odd" : "even");
  if (messages.empty()) return fmt::format("column '{}': no messages", column);
  return "";
}

std::string role_of(const RowView& row, const DatasetInfo& info, const Json& message, const std::string& where,
                    const std::string& column) {
  const Json& role = part_of(row, info, const_cast<Json&>(message), info.tags.role_tag, where, column);
  if (!role.is_string()) row.fail(column, fmt::format("{}: '{}' must be a text", where, info.tags.role_tag));
  return role.get<std::string>();
}

std::string content_of(const RowView& row, const DatasetInfo& info, Json& message, const std::string& where,
                       const std::string& column) {
  Json& content = part_of(row, info, message, info.tags.content_tag, where, column);
  const std::string_view between = is_openais_own(info.formatting) ? "\n" : "";  // as the chat route has it
  if (std::optional<std::string> text = text_of_parts(content, between)) return std::move(*text);
  if (!content.is_string())
    row.fail(column, fmt::format("{}: '{}' must be a text, found {}", where, info.tags.content_tag, kind_of(content)));
  return std::move(content.get_ref<std::string&>());
}

// Where two are the same word, the later one of the reference's table wins.
std::optional<Role> find_role(const DatasetTags& tags, const std::string& tag) {
  if (tag.empty() || tag == tags.system_tag) return std::nullopt;
  if (tag == tags.function_tag) return Role::kFunction;
  if (tag == tags.observation_tag) return Role::kObservation;
  if (tag == tags.assistant_tag) return Role::kAssistant;
  if (tag == tags.user_tag) return Role::kUser;
  return std::nullopt;
}

bool is_prompt_role(Role role) { return role == Role::kUser || role == Role::kObservation; }

std::vector<Json> take_list(const RowView& row, Json* value, const std::string& column) {
  if (!value || !value->is_array())
    row.fail(column, fmt::format("a list of messages is wanted, found {}", value ? kind_of(*value) : "none"));
  return {std::make_move_iterator(value->begin()), std::make_move_iterator(value->end())};
}

std::vector<Json> take_messages(const RowView& row, const DatasetInfo& info, std::string& system) {
  const std::string& column = info.columns.messages;
  std::vector<Json> messages = take_list(row, row.find(column), column);
  if (!info.tags.system_tag.empty() && !messages.empty() &&
      role_of(row, info, messages[0], "message 1", column) == info.tags.system_tag) {
    system = content_of(row, info, messages[0], "message 1", column);
    messages.erase(messages.begin());
  } else {
    system = row.text(info.columns.system);
  }
  return messages;
}

Aligned finish_messages(const RowView& row, const DatasetInfo& info, std::vector<SlotMessage> messages) {
  Aligned out;
  out.dropped = order_fault(messages, info.tags, info.columns.messages, info.ranking);
  if (!out.dropped.empty()) return out;
  for (const SlotMessage& message : messages) check_calls(message, row, info.columns.messages);
  Example& example = out.example;
  const DatasetColumns& columns = info.columns;
  const std::optional<bool> verdict = row.verdict(columns.kto_tag);
  if (info.ranking && !verdict) {
    for (const std::string& column : {columns.chosen, columns.rejected}) {
      const Json* answer = row.find(column);
      if (!answer || !answer->is_object()) {
        out.dropped =
            fmt::format("column '{}': a message is wanted, found {}", column, answer ? kind_of(*answer) : "none");
        return out;
      }
    }
    example.response.push_back(answer_of(row, info, columns.chosen, out.dropped));
    example.response.push_back(answer_of(row, info, columns.rejected, out.dropped));
    example.prompt = std::move(messages);
    return out;
  }
  example.response.push_back(std::move(messages.back()));
  messages.pop_back();
  example.prompt = std::move(messages);
  if (verdict) set_verdict(example, *verdict);
  return out;
}

Aligned align_sharegpt(const RowView& row, const DatasetInfo& info) {
  std::string system;
  std::vector<Json> list = take_messages(row, info, system);
  std::vector<SlotMessage> messages;
  messages.reserve(list.size());
  for (Json& message : list) {
    const std::string where = fmt::format("message {}", &message - list.data() + 1);
    const std::string tag = role_of(row, info, message, where, info.columns.messages);
    const std::optional<Role> role = find_role(info.tags, tag);
    if (!role)
      return {{},
              fmt::format("column '{}': {} is of '{}' where {} belongs", info.columns.messages, where, tag,
                          wanted_at(messages.size(), info.tags))};
    messages.push_back({*role, content_of(row, info, message, where, info.columns.messages)});
  }
  Aligned out = finish_messages(row, info, std::move(messages));
  out.example.system = std::move(system);
  return out;
}

}  // namespace hearth
