#include "server/images/data_url.h"

#include <algorithm>
#include <optional>

#include "runtime/base/error.h"
#include "runtime/tokenizer/base64.h"
#include "server/query.h"

namespace hearth {
namespace {

constexpr std::string_view kScheme = "data:", kBase64 = ";base64";

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
  std::string data = percent_decoded(url.substr(comma + 1), "the data: URL");
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
