#include "server/images/data_url.h"

#include <algorithm>
#include <optional>

#include "runtime/base/error.h"
#include "runtime/tokenizer/base64.h"

namespace hearth {
namespace {

constexpr std::string_view kScheme = "data:", kBase64 = ";base64";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low < 0) throw invalid_argument("a '%' of the data: URL has no two hexadecimal digits behind it");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

}  // namespace

std::string decode_data_url(std::string_view url) {
  const size_t comma = url.find(',');
  if (comma == std::string_view::npos)
    throw invalid_argument("the data: URL has no comma; it is written data:image/png;base64,DATA");
  const std::string_view head = url.substr(0, comma);
  if (head.size() < kScheme.size() || !equals_ignoring_case(head.substr(0, kScheme.size()), kScheme))
    throw invalid_argument("is not a data: URL");
  std::string data = percent_decoded(url.substr(comma + 1));
  const bool is_base64 =
      head.size() >= kBase64.size() && equals_ignoring_case(head.substr(head.size() - kBase64.size()), kBase64);
  if (!is_base64) return data;
  if (data.find_first_of(" \t\r\n") != std::string::npos)
    throw invalid_argument("the data: URL's base64 has blanks or line breaks; leave them out (base64 -w0)");
  std::ranges::replace(data, '-', '+');
  std::ranges::replace(data, '_', '/');
  std::optional<std::string> bytes = decode_base64(data);
  if (!bytes) throw invalid_argument("the data: URL's data is not base64, or is cut short");
  return std::move(*bytes);
}

}  // namespace hearth
