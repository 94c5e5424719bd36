// What others wrote (a model, a server, a file) as text that a terminal only shows: no escape sequence, no cursor
// movement, no reversed reading order comes through.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// `text`: whole UTF-8 characters. Line breaks and tabs stay, carriage returns go; other controls of ASCII are shown by
// their pictures (U+2400 on), C1 controls and those of the reading order (bidi embeddings, overrides, isolates) by
// their code points: <U+202E>.
std::string printable(std::string_view text);

}  // namespace hearth
