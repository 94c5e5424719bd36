// UTF-8 as the tokenizers need it: validation, one code point at a time, and the lossy reading of bytes that a model
// may produce in any order. Invalid bytes become U+FFFD by maximal subparts (Unicode 15, section 3.9), as Rust's
// String::from_utf8_lossy does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::utf8 {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The position of the first byte that belongs to no valid character; npos when there is none.
size_t find_invalid(std::string_view text);

// Bytes of the character that begins with `lead`, in valid text.
inline size_t length_from_lead(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80; }

// The code point at `pos`, which moves past it. The text must be valid.
char32_t decode(std::string_view text, size_t& pos);
// The code point that ends at `pos` (> 0), which moves before it. The text must be valid.
char32_t decode_back(std::string_view text, size_t& pos);

void append(std::string& out, char32_t code_point);

// Appends `bytes` to `out` with U+FFFD for what is invalid and returns how many were consumed: all of them when
// `final`, else all but a character at the end that more bytes could complete.
size_t append_lossy(std::string_view bytes, bool final, std::string& out);

// The number of characters in `text`, which must be valid.
size_t count(std::string_view text);
// Its beginning, at most `bytes` bytes of whole characters.
std::string_view shorten(std::string_view text, size_t bytes);

// Unicode's White_Space property, and \w as the regex crate reads it (alphabetic, mark, decimal digit, connector, join
// control).
bool is_space(char32_t code_point);
bool is_word(char32_t code_point);

}  // namespace hearth::utf8
