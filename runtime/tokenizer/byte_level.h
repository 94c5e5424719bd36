// GPT-2's reversible map between the 256 bytes and printable characters, in which byte-level BPE vocabularies are
// written ("Ġthe" is " the").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::byte_level {

char32_t to_unicode(uint8_t byte);
std::optional<uint8_t> from_unicode(char32_t code_point);

// "\x20the" -> "Ġthe".
std::string encode(std::string_view bytes);
// "Ġthe" -> "\x20the"; text with a character outside the map stands for itself, as in the reference decoder.
std::string decode(std::string_view text);

}  // namespace hearth::byte_level
