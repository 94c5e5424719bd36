// The tokens "<0x00>" to "<0xFF>" with which sentencepiece-style vocabularies spell what they have no token for.
#pragma once

#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace hearth {

inline std::string byte_token(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

inline std::optional<uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  uint8_t byte = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return byte;
}

}  // namespace hearth
