#include "finetune/datasets/row_view.h"

#include <utility>

#include <fmt/format.h>

#include "templates/llamafactory/python_text.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

constexpr int kMaxCallStarts = 64;

bool holds_calls(std::string_view text) {
  try {
    parse_tool_calls(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string_view kind_of(const nlohmann::ordered_json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "a text";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  return value.is_null() ? "null" : "a number";
}

std::string RowView::text(const std::string& column) const {
  Json* value = find(column);
  if (!value) return "";
  if (!value->is_string()) fail(column, fmt::format("a text is wanted, found {}", kind_of(*value)));
  return std::move(value->get_ref<std::string&>());
}

std::string RowView::tools(const std::string& column) const {
  Json* value = find(column);
  return value ? tools(*value, column) : "";
}

std::string RowView::tools(Json& value, const std::string& column) const {
  if (value.is_null()) return "";
  if (value.is_array() || value.is_object()) {
    if (value.empty()) return "";
    return python_json(value);
  }
  if (!value.is_string()) fail(column, fmt::format("a text is wanted, found {}", kind_of(value)));
  std::string text = std::move(value.get_ref<std::string&>());
  if (text.empty()) return "";
  const std::optional<Json> tools = parse_json_text(text);
  if (!tools) fail(column, "the tools are not JSON");
  if (!tools->is_array())
    fail(column, fmt::format("the tools must be a list of function schemas, found {}", kind_of(*tools)));
  return text;
}

std::vector<std::string> RowView::media(const std::string& column, const std::filesystem::path& media_dir) const {
  std::vector<std::string> paths;
  Json* value = find(column);
  if (!value) return paths;
  const auto add = [&](Json& item) {
    Json* path = &item;
    if (item.is_object() && item.contains("path") && (!item.contains("bytes") || item["bytes"].is_null()))
      path = &item["path"];
    if (!path->is_string())
      fail(column, fmt::format("paths of files are wanted, found {}{}", kind_of(item),
                               item.is_object() ? ": write what is embedded into files" : ""));
    const std::filesystem::path below = media_dir / path->get<std::string>();
    std::error_code ignored;
    paths.push_back(std::filesystem::is_regular_file(below, ignored) ? below.string() : path->get<std::string>());
  };
  if (!value->is_array()) {
    add(*value);
  } else {
    for (Json& item : *value) add(item);
  }
  return paths;
}

std::optional<bool> RowView::verdict(const std::string& column) const {
  const Json* value = find(column);
  if (!value) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  if (!value->is_string()) return std::nullopt;
  const auto& word = value->get_ref<const std::string&>();
  if (word == "true" || word == "True" || word == "TRUE") return true;
  if (word == "false" || word == "False" || word == "FALSE") return false;
  return std::nullopt;
}

void set_verdict(Example& example, bool verdict) {
  example.response.push_back({SlotMessage::Role::kAssistant, ""});
  if (!verdict) std::swap(example.response[0], example.response[1]);
}

// The calls may stand behind a thought or between a template's words, which are not known here; so a later brace or
// bracket may be where they begin.
void check_calls(const SlotMessage& message, const RowView& row, const std::string& column) {
  if (message.role != SlotMessage::Role::kFunction || !message.calls.empty()) return;
  const std::string_view text = message.content;
  if (holds_calls(text)) return;
  const size_t end = text.find_last_of("}]");
  size_t begin = text.find_first_of("{[");
  for (int i = 0; i < kMaxCallStarts && end != text.npos && begin < end; ++i) {
    if (holds_calls(text.substr(begin, end + 1 - begin))) return;
    begin = text.find_first_of("{[", begin + 1);
  }
  row.fail(column, fmt::format("a function turn must hold its calls as JSON, {{\"name\", \"arguments\"}} or a list of "
                               "them; found '{}'",
                               fmt::format("{}{}", text.substr(0, 77), text.size() > 77 ? "..." : "")));
}

}  // namespace hearth
