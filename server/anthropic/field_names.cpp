#include "server/anthropic/field_names.h"

namespace hearth::anthropic {
namespace {

// "tools[0].input_schema" as "/tools/0/input_schema".
std::string pointer_of(std::string_view path) {
  std::string pointer = "/";
  for (const char c : path)
    if (c != ']') pointer += c == '.' || c == '[' ? '/' : c;
  return pointer;
}

bool begins_with_field(std::string_view name, std::string_view field) {
  return name.starts_with(field) &&
         (name.size() == field.size() || std::string_view(".[/").find(name[field.size()]) != std::string_view::npos);
}

}  // namespace

void FieldNames::add(std::string chat, std::string theirs) { names_.emplace_back(std::move(chat), std::move(theirs)); }

std::string FieldNames::translated(std::string_view name) const {
  const bool is_pointer = name.starts_with('/');
  size_t length = 0;
  std::string best;
  for (const auto& [chat, theirs] : names_) {
    const std::string from = is_pointer ? pointer_of(chat) : chat;
    if (from.size() <= length || !begins_with_field(name, from)) continue;
    length = from.size();
    best = is_pointer ? pointer_of(theirs) : theirs;
  }
  return best + std::string(name.substr(length));
}

// Messages have names between quotes.
ApiError FieldNames::translated(const ApiError& error) const {
  const std::string_view text = error.what();
  std::string message;
  size_t at = 0;
  for (size_t quote = text.find('\''); quote != std::string_view::npos; quote = text.find('\'', at)) {
    const size_t end = std::min(text.find('\'', quote + 1), text.size());
    message.append(text.substr(at, quote + 1 - at));
    message += translated(text.substr(quote + 1, end - quote - 1));
    at = end;
    if (at == text.size()) break;
    message += text[at++];
  }
  message.append(text.substr(at));
  ApiErrorDetails details = error.details();
  details.param = translated(details.param);
  return {error.code(), message, std::move(details)};
}

}  // namespace hearth::anthropic
