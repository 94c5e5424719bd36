#include "server/query.h"

#include <algorithm>

#include "server/api_error.h"

namespace hearth {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decoded(spaced, "the URL's query");
}

}  // namespace

std::string percent_decoded(std::string_view text, std::string_view what) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      throw invalid_argument("{} has '{}', which is no percent-encoding; a '%' itself is %25", what, text.substr(i, 3));
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    if (entry.empty()) continue;
    const size_t equals = entry.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : entry.substr(equals + 1);
    entries_.emplace_back(decoded(entry.substr(0, equals)), decoded(value));
  }
}

std::optional<std::string_view> Query::get(std::string_view name) const {
  const auto found =
      std::find_if(entries_.rbegin(), entries_.rend(), [&](const auto& entry) { return entry.first == name; });
  if (found == entries_.rend() || found->second.empty()) return std::nullopt;
  return found->second;
}

}  // namespace hearth
