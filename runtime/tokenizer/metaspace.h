// U+2581, with which sentencepiece-style vocabularies write a space.
#pragma once

#include <string_view>

namespace hearth {

inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";

}  // namespace hearth
