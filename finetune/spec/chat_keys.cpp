#include "finetune/spec/chat_keys.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "templates/llamafactory/registry.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

ToolFormat parse_tool_format(const YamlEntry& entry) {
  const std::string name = yaml_string(entry);
  if (const auto format = find_tool_format(name)) return *format;
  throw invalid_argument("{}: no tool format '{}'{}; there are {}", entry.where, name,
                         did_you_mean(name, tool_format_names()), fmt::join(tool_format_names(), ", "));
}

}  // namespace

void check_template_name(std::string_view name, std::string_view where) {
  std::vector<std::string_view> names;
  for (const TemplateRow& row : template_rows()) {
    if (row.name == name) return;
    names.push_back(row.name);
  }
  throw invalid_argument("{}: no template '{}'{}; `hearth templates` lists them", where, name,
                         did_you_mean(name, names));
}

bool read_chat_key(const YamlEntry& entry, ChatOptions& chat) {
  SlotTemplateOptions& options = chat.options;
  const bool is_null = entry.is_null();
  if (entry.key == "template") {
    if (is_null) return true;
    chat.template_name = yaml_string(entry);
    check_template_name(chat.template_name, entry.where);
  } else if (entry.key == "default_system") {
    if (!is_null) options.default_system = yaml_string(entry);
  } else if (entry.key == "tool_format") {
    if (!is_null) options.tool_format = parse_tool_format(entry);
  } else if (entry.key == "enable_thinking") {
    options.enable_thinking = is_null ? std::nullopt : std::optional(yaml_bool(entry));
  } else if (entry.key == "preserve_thinking") {
    if (!is_null) options.preserve_thinking = yaml_bool(entry);
  } else {
    return false;
  }
  return true;
}

void check_chat_options(const ChatOptions& chat, std::string_view where) {
  if (!chat.template_name.empty()) return;
  for (const auto& [given, key] : {std::pair(chat.options.tool_format.has_value(), "tool_format"),
                                   std::pair(chat.options.preserve_thinking, "preserve_thinking")})
    if (given)
      throw invalid_argument(
          "{}'{}' changes a named template and the checkpoint's own is used: add 'template' or remove it", where, key);
}

}  // namespace hearth
