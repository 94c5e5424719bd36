#include "server/field_names.h"

#include <optional>
#include <string_view>

namespace hearth {
namespace {

// "a[0].b" as "/a/0/b".
std::string pointer_of(std::string_view name) {
  std::string pointer = "/";
  for (const char c : name)
    if (c != ']') pointer += c == '.' || c == '[' ? '/' : c;
  return pointer;
}

// What follows `prefix` in `param`; nothing where that is another field ("tools" of "tools_of").
std::optional<std::string_view> below(std::string_view param, std::string_view prefix) {
  if (!param.starts_with(prefix)) return std::nullopt;
  param.remove_prefix(prefix.size());
  if (!param.empty() && param.front() != '.' && param.front() != '[' && param.front() != '/') return std::nullopt;
  return param;
}

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.[]/-").find(c) != std::string_view::npos;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

void FieldNames::add(std::string translated, std::string original) {
  names_.emplace_back(std::move(translated), std::move(original));
}

std::string FieldNames::original(const std::string& param) const {
  const bool is_pointer = param.starts_with('/');
  size_t longest = 0;
  std::string found = param;
  const auto consider = [&](const std::string& from, const std::string& to) {
    const auto rest = below(param, from);
    if (!rest || from.size() < longest) return;
    longest = from.size();
    found = to + std::string(*rest);
  };
  for (const auto& [translated, original] : names_) {
    if (is_pointer)
      consider(pointer_of(translated), pointer_of(original));
    else
      consider(translated, original);
  }
  return found;
}

// Names stand in quotes: "'messages[0].content' is required".
std::string FieldNames::original_text(const std::string& message) const {
  std::string out;
  for (size_t at = 0; at < message.size();) {
    size_t end = at + 1;
    while (message[at] == '\'' && end < message.size() && is_of_name(message[end])) ++end;
    const bool is_name = message[at] == '\'' && end < message.size() && message[end] == '\'';
    out += message[at] + (is_name ? original(message.substr(at + 1, end - at - 1)) : std::string());
    at = is_name ? end : at + 1;
  }
  return out;
}

ApiError FieldNames::original(const ApiError& error) const {
  ApiErrorDetails details = error.details();
  std::string message = original_text(error.what());
  if (details.code == "context_length_exceeded") replace_all(message, "max_tokens", original("max_tokens"));
  details.param = original(details.param);
  return {error.code(), message, std::move(details)};
}

}  // namespace hearth
