#include "finetune/metrics/text.h"

#include <utf8proc.h>

#include "runtime/tokenizer/utf8.h"

namespace hearth::metrics {

std::u32string code_points(std::string_view text) {
  std::string valid;
  utf8::append_lossy(text, /*final=*/true, valid);
  std::u32string out;
  out.reserve(valid.size());
  for (size_t pos = 0; pos < valid.size();) out += utf8::decode(valid, pos);
  return out;
}

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

std::u32string lower(std::u32string_view text) {
  constexpr char32_t kDottedI = 0x130;  // the one whose lower case is two code points
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (c == kDottedI) {
      out += U"i\u0307";
    } else {
      out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
  }
  return out;
}

std::u32string_view strip_end(std::u32string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::u32string_view> split_at_space(std::u32string_view text) {
  std::vector<std::u32string_view> parts;
  for (size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    parts.push_back(text.substr(begin, at - begin));
  }
  return parts;
}

std::u32string replace_all(std::u32string_view text, std::u32string_view from, std::u32string_view to) {
  std::u32string out;
  for (size_t at = 0;;) {
    const size_t found = text.find(from, at);
    out += text.substr(at, found - at);
    if (found == std::u32string_view::npos) return out;
    out += to;
    at = found + from.size();
  }
}

}  // namespace hearth::metrics
