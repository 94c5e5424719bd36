// UTF-8 text as Python sees it: a sequence of code points with Python's character classes and case mappings (tables
// made from CPython itself). A byte that is not valid UTF-8 counts as one character, 0xdc00 + byte (Python's
// surrogateescape), and survives every operation.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::jinja {

struct CodePoint {
  char32_t value = 0;
  size_t length = 0;  // bytes
};

// The character at `position`, which is inside the text.
CodePoint decode(std::string_view text, size_t position);
void encode(std::string& out, char32_t code_point);

bool is_ascii(std::string_view text);
size_t count_code_points(std::string_view text);
// The byte where the character of that index begins; the text's size when there are fewer.
size_t byte_offset(std::string_view text, size_t index);

bool is_space(char32_t c);
bool is_printable(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
inline bool is_alphanumeric(char32_t c) { return is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c); }

// Full case mappings of one character, appended; a mapping may be longer than one character.
void append_upper(std::string& out, char32_t c);
void append_lower(std::string& out, char32_t c);
void append_title(std::string& out, char32_t c);

// Bytes of white space at the beginning and at the end of a text.
size_t leading_space(std::string_view text);
size_t trailing_space(std::string_view text);

// Position of `needle` at or after `from`, or npos. Linear in the worst case, unlike std::string::find.
size_t find_text(std::string_view text, std::string_view needle, size_t from = 0);

}  // namespace hearth::jinja
