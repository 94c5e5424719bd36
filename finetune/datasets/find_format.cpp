#include "finetune/datasets/find_format.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::initializer_list<const char*>;

constexpr size_t kMostColumns = 100, kMostRoles = 20, kLongestRole = 40, kMostTold = 20, kLongestTold = 64;

constexpr std::string_view kKnown =
    "known are 'instruction' (or prompt, question, query) with 'output' (or response, completion, answer), with "
    "'chosen' "
    "and 'rejected', or with 'kto_tag'; 'conversations' or 'messages'; 'prompt' with 'completion'; 'text'; OpenAI's "
    "'messages', and 'input' with 'preferred_output' and 'non_preferred_output'";

// What rows hold in a column, all of them taken together; null counts for nothing.
struct Column {
  bool text = false, message = false, messages = false, other = false;
  bool verdict = false, no_verdict = false;  // true or false, as kto_tag wants it; anything else
  bool from_value = false, role_content = false, openai_only = false;  // how its messages are written
  std::set<std::string> roles;

  bool only_text() const { return text && no_more_than_text(); }
  bool only_messages() const { return messages && !text && !message && !other; }
  bool only_message() const { return message && !text && !messages && !other; }
  bool only_verdict() const { return verdict && !no_verdict; }
  bool no_more_than_text() const { return !message && !messages && !other; }
};

bool is_verdict(const Json& value) {
  if (!value.is_string()) return value.is_boolean();
  constexpr std::array kWords = {"true", "True", "TRUE", "false", "False", "FALSE"};
  return std::find(kWords.begin(), kWords.end(), value.get_ref<const std::string&>()) != kWords.end();
}

bool has_text(const Json& message, const char* key) {
  const auto found = message.find(key);
  return found != message.end() && found->is_string();
}

// What sharegpt, which reads one text by one writer, has no place for.
bool is_openai_only(const Json& message) {
  for (const char* key : {"tool_calls", "weight", "tool_call_id"})
    if (const auto found = message.find(key); found != message.end() && !found->is_null()) return true;
  const auto content = message.find("content");
  return (content != message.end() && content->is_array()) || message.value("role", Json()) == "developer";
}

void see_message(const Json& message, Column& column) {
  const bool from = has_text(message, "from") && message.contains("value");
  const bool role = has_text(message, "role") && (message.contains("content") || message.contains("tool_calls"));
  column.from_value |= from;
  column.role_content |= role && !from;
  column.other |= !from && !role;
  if (!from && !role) return;
  if (role && !from) column.openai_only |= is_openai_only(message);
  if (column.roles.size() < kMostRoles)
    column.roles.insert(message[from ? "from" : "role"].get_ref<const std::string&>().substr(0, kLongestRole));
}

void see(const Json& value, Column& column) {
  const bool is_list = value.is_array() && !value.empty() && value.front().is_object();
  if (value.is_null()) return;
  column.text |= value.is_string();
  (is_verdict(value) ? column.verdict : column.no_verdict) = true;
  column.messages |= is_list;
  column.message |= value.is_object();
  if (is_list)
    for (const Json& message : value) message.is_object() ? see_message(message, column) : void(column.other = true);
  else if (value.is_object())
    see_message(value, column);
  else if (!value.is_string())
    column.other |= !value.is_boolean();
}

class Finder {
 public:
  explicit Finder(RowReader& rows) {
    Row row;
    for (int64_t i = 0; i < kRowsOfFormat && rows.next(row); ++i) {
      if (!row.problem.empty()) {
        if (problem_.empty()) problem_ = row.place + ": " + row.problem;
        continue;
      }
      for (const auto& [key, value] : row.value.items())
        if (columns_.contains(key) || columns_.size() < kMostColumns) see(value, columns_[key]);
    }
  }

  Json find() const {
    if (columns_.empty())
      throw invalid_argument("{}",
                             problem_.empty() ? "the file has no rows" : "no row can be read, such as " + problem_);
    if (has("preferred_output") && has("non_preferred_output") && has("input"))
      return {{"formatting", "openai"}, {"ranking", true}};
    if (const std::string messages = first({"messages", "conversations", "conversation"}, &Column::only_messages);
        !messages.empty())
      return of_messages(messages);
    if (has("chosen") && has("rejected")) return of_pairs();
    if (is("prompt", &Column::only_messages) && is("completion", &Column::only_messages))
      return {{"formatting", "trl"}};
    return of_texts();
  }

 private:
  using Kind = bool (Column::*)() const;

  bool has(const std::string& name) const { return columns_.contains(name); }
  bool is(const std::string& name, Kind kind) const {
    const auto found = columns_.find(name);
    return found != columns_.end() && (found->second.*kind)();
  }
  std::string first(Names names, Kind kind) const {
    const auto found = std::find_if(names.begin(), names.end(), [&](const char* name) { return is(name, kind); });
    return found == names.end() ? "" : *found;
  }
  // Columns of the same name in dataset_info.json.
  void add_others(Json& columns) const {
    for (const char* name : {"system", "tools", "images", "videos", "audios"})
      if (has(name)) columns[name] = name;
  }
  std::string verdict() const { return has("kto_tag") ? "kto_tag" : first({"label"}, &Column::only_verdict); }

  [[noreturn]] void refuse(const std::string& why) const {
    std::vector<std::string_view> names;
    for (const auto& [name, column] : columns_)
      if (names.size() < kMostTold) names.push_back(std::string_view(name).substr(0, kLongestTold));
    throw invalid_argument(
        "the format cannot be told: {}; the first rows have the columns '{}'; {}; or say it: "
        "formatting, and columns with the names that the file has",
        why, fmt::join(names, "', '"), kKnown);
  }

  Json of_messages(const std::string& name) const {
    const Column& messages = columns_.at(name);
    if (messages.from_value && messages.role_content)
      refuse(fmt::format("some messages in '{}' have 'from' and 'value', others 'role' and 'content'", name));
    const bool is_pair = is("chosen", &Column::only_message) && is("rejected", &Column::only_message);
    if (messages.openai_only && name == "messages" && !is_pair && verdict().empty())
      return {{"formatting", "openai_chat"}};
    Json columns = {{"messages", name}};
    if (is_pair) columns.update({{"chosen", "chosen"}, {"rejected", "rejected"}});
    if (!is_pair && !verdict().empty()) columns["kto_tag"] = verdict();
    add_others(columns);
    Json entry = {{"formatting", messages.openai_only ? "openai" : "sharegpt"}};
    if (is_pair) entry["ranking"] = true;
    entry["columns"] = std::move(columns);
    if (Json tags = tags_of(name, is_pair); !tags.is_null()) entry["tags"] = std::move(tags);
    return entry;
  }

  // Null: the defaults.
  Json tags_of(const std::string& name, bool is_pair) const {
    std::set<std::string> roles = columns_.at(name).roles;
    if (is_pair)
      for (const char* answer : {"chosen", "rejected"})
        roles.insert(columns_.at(answer).roles.begin(), columns_.at(answer).roles.end());
    const auto pick = [&](Names names) {
      const auto found =
          std::find_if(names.begin(), names.end(), [&](const char* role) { return roles.contains(role); });
      return std::string(found == names.end() ? "" : *found);
    };
    const bool role_content = columns_.at(name).role_content;
    const std::string user = pick({"human", "user"}), assistant = pick({"gpt", "assistant", "model"});
    const std::string observation = pick({"observation", "tool"}), function = pick({"function_call", "function"});
    if ((user.empty() && observation.empty()) || (assistant.empty() && function.empty()))
      refuse(
          fmt::format("the messages in '{}' are by '{}', where a user ('human' or 'user') and an assistant ('gpt', "
                      "'assistant' or 'model') belong",
                      name, fmt::join(roles, "', '")));
    const auto or_else = [](const std::string& text, const char* otherwise) { return text.empty() ? otherwise : text; };
    if (!role_content && or_else(user, "human") == "human" && or_else(assistant, "gpt") == "gpt" &&
        or_else(observation, "observation") == "observation" && or_else(function, "function_call") == "function_call")
      return {};
    return {{"role_tag", role_content ? "role" : "from"},
            {"content_tag", role_content ? "content" : "value"},
            {"user_tag", or_else(user, role_content ? "user" : "human")},
            {"assistant_tag", or_else(assistant, role_content ? "assistant" : "gpt")},
            {"observation_tag", or_else(observation, role_content ? "tool" : "observation")},
            {"function_tag", or_else(function, "function_call")},
            {"system_tag", "system"}};
  }

  Json of_pairs() const {
    const bool texts = is("chosen", &Column::only_text) && is("rejected", &Column::only_text);
    const bool conversations = is("chosen", &Column::only_messages) && is("rejected", &Column::only_messages);
    const std::string prompt = first({"instruction", "prompt", "question", "query"}, &Column::only_text);
    if (texts && !prompt.empty()) {
      Json entry = of_prompt(prompt, {});
      entry["ranking"] = true;
      entry["columns"].update({{"chosen", "chosen"}, {"rejected", "rejected"}});
      return entry;
    }
    const bool own_prompt = !has("prompt") || is("prompt", conversations ? &Column::only_messages : &Column::only_text);
    if ((texts || conversations) && own_prompt) return {{"formatting", "trl"}};
    refuse("'chosen' and 'rejected' must both be texts beside a prompt, or both lists of messages");
  }

  Json of_texts() const {
    const std::string response = first({"output", "response", "completion", "answer"}, &Column::only_text);
    std::string prompt = first({"instruction", "prompt", "question", "query"}, &Column::only_text);
    if (prompt.empty() && response == "output") prompt = first({"input"}, &Column::only_text);
    if (!prompt.empty() && !response.empty()) {
      Json entry = of_prompt(prompt, response);
      if (!verdict().empty()) entry["columns"]["kto_tag"] = verdict();
      return entry;
    }
    if (is("text", &Column::only_text)) return {{"formatting", "alpaca"}, {"columns", {{"prompt", "text"}}}};
    refuse("there is no column of prompts beside one of answers");
  }

  // alpaca; `response` may be empty.
  Json of_prompt(const std::string& prompt, const std::string& response) const {
    Json columns = {{"prompt", prompt}};
    const std::string query = first({"input", "query"}, &Column::no_more_than_text);
    if (!query.empty() && query != prompt) columns["query"] = query;
    if (!response.empty()) columns["response"] = response;
    if (has("history")) columns["history"] = "history";
    add_others(columns);
    return {{"formatting", "alpaca"}, {"columns", std::move(columns)}};
  }

  std::map<std::string, Column> columns_;
  std::string problem_;  // of the first row that cannot be read
};

}  // namespace

Json find_format(RowReader& rows) { return Finder(rows).find(); }

}  // namespace hearth
