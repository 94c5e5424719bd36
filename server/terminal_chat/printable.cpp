#include "server/terminal_chat/printable.h"

#include <fmt/format.h>

namespace hearth {
namespace {

unsigned byte_at(std::string_view text, size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; }

// The control character of more than one byte that begins at `i`, or 0.
unsigned long_control(std::string_view text, size_t i) {
  const unsigned first = byte_at(text, i), second = byte_at(text, i + 1), third = byte_at(text, i + 2);
  if (first == 0xc2 && second >= 0x80 && second < 0xa0) return second;
  if (first != 0xe2 || third < 0x80 || third > 0xbf) return 0;
  const unsigned code = 0x2000 + ((second & 0x3fU) << 6U) + (third & 0x3fU);
  const bool bidi = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return bidi && second >= 0x80 ? code : 0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned c = byte_at(text, i);
    if (const unsigned code = long_control(text, i); code != 0) {
      out += fmt::format("<U+{:04X}>", code);
      i += code < 0x100 ? 1 : 2;
    } else if (c == '\r') {
      continue;
    } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
      out += "\xe2\x90";
      out += static_cast<char>(c == 0x7f ? 0xa1 : 0x80 + c);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace hearth
