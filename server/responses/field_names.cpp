#include "server/responses/field_names.h"

#include <optional>
#include <string_view>

namespace hearth {
namespace {

// "a[0].b" as "/a/0/b", or with `brackets` as "/a[0]/b".
std::string pointer_of(std::string_view name, bool brackets) {
  std::string pointer = "/";
  for (const char c : name) {
    if (c == '.' || (c == '[' && !brackets))
      pointer += '/';
    else if (c != ']' || brackets)
      pointer += c;
  }
  return pointer;
}

// What follows `prefix` in `param`; nothing where that is another field ("tools" of "tools_of").
std::optional<std::string_view> below(std::string_view param, std::string_view prefix) {
  if (!param.starts_with(prefix)) return std::nullopt;
  param.remove_prefix(prefix.size());
  if (!param.empty() && param.front() != '.' && param.front() != '[' && param.front() != '/') return std::nullopt;
  return param;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
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
    if (!is_pointer) {
      consider(translated, original);
      continue;
    }
    for (const bool brackets : {false, true})
      consider(pointer_of(translated, brackets), pointer_of(original, brackets));
  }
  return found;
}

ApiError FieldNames::original(const ApiError& error) const {
  ApiErrorDetails details = error.details();
  std::string message = error.what();
  const std::string name = original(details.param);
  if (!details.param.empty()) replace_all(message, "'" + details.param + "'", "'" + name + "'");
  if (details.code == "context_length_exceeded") replace_all(message, "max_tokens", "max_output_tokens");
  details.param = name;
  return {error.code(), message, std::move(details)};
}

}  // namespace hearth
