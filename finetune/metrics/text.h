// Texts as the Python metrics see them: code points, and Python's notion of white space (str.split, str.strip, \s).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::metrics {

// UTF-8; what is none becomes U+FFFD.
std::u32string code_points(std::string_view text);

bool is_space(char32_t c);
inline bool is_ascii_digit(char32_t c) { return c >= '0' && c <= '9'; }
inline bool is_ascii_alnum(char32_t c) { return is_ascii_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// str.lower() but for sigma at the end of a word, which stays σ.
std::u32string lower(std::u32string_view text);
// str.rstrip()
std::u32string_view strip_end(std::u32string_view text);
// str.split(): the parts between white space, none of them empty.
std::vector<std::u32string_view> split_at_space(std::u32string_view text);
// str.replace()
std::u32string replace_all(std::u32string_view text, std::u32string_view from, std::u32string_view to);

}  // namespace hearth::metrics
