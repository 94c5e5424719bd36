// Character classes as the `tokenizers` library sees them. Its crates carry tables of different age: unicode_categories
// that of Unicode 8, unicode-normalization-alignments that of Unicode 9; ours are newer, so what came since is left
// out. tests/golden/make_unicode.py writes what the library itself says of every code point.
#pragma once

#include <string>

namespace hearth::unicode {

// Whether normalization forms know of no such mark or decomposition.
bool is_newer_than_9(char32_t code_point);
bool is_nonspacing_mark_8(char32_t code_point);  // Mn
bool is_mark_9(char32_t code_point);             // M
bool is_control_8(char32_t code_point);          // Cc, Cf, Co
// A regular expression for a character that is punctuation: ASCII's, and P.
std::string punctuation_8();

}  // namespace hearth::unicode
