#include "runtime/tokenizer/replace_all.h"

#include <optional>

#include "runtime/tokenizer/utf8.h"

namespace hearth {

std::string replace_all(std::string_view text, std::string_view pattern, std::string_view content) {
  std::string out;
  size_t done = 0;
  if (!pattern.empty()) {
    for (size_t at; (at = text.find(pattern, done)) != std::string_view::npos; done = at + pattern.size())
      out.append(text, done, at - done).append(content);
  }
  return out.append(text, done);
}

std::string replace_all(std::string_view text, const Regex& pattern, std::string_view content) {
  std::string out;
  size_t done = 0;
  if (text.empty()) return out;  // where even an empty match is none, as in the reference
  for (size_t from = 0; from <= text.size();) {
    const std::optional<ByteRange> match = pattern.find(text, from);
    if (!match) break;
    out.append(text, done, match->begin - done).append(content);
    done = from = match->end;
    if (match->begin == match->end)
      from += from < text.size() ? utf8::length_from_lead(static_cast<unsigned char>(text[from])) : 1;
  }
  return out.append(text, done);
}

}  // namespace hearth
