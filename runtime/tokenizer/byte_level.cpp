#include "runtime/tokenizer/byte_level.h"

#include <array>

#include "runtime/tokenizer/utf8.h"

namespace hearth::byte_level {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

// Printable bytes stand for themselves, the others for U+0100 onwards in byte order.
constexpr std::array<char32_t, 256> make_table() {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) table[byte] = is_printable(byte) ? byte : next++;
  return table;
}
constexpr std::array<char32_t, 256> kToUnicode = make_table();

constexpr char32_t kMapEnd = 0x144;

constexpr std::array<int16_t, kMapEnd> make_inverse() {
  std::array<int16_t, kMapEnd> inverse{};
  for (auto& entry : inverse) entry = -1;
  for (unsigned byte = 0; byte < 256; ++byte) inverse[kToUnicode[byte]] = static_cast<int16_t>(byte);
  return inverse;
}
constexpr std::array<int16_t, kMapEnd> kFromUnicode = make_inverse();

}  // namespace

char32_t to_unicode(uint8_t byte) { return kToUnicode[byte]; }

std::optional<uint8_t> from_unicode(char32_t code_point) {
  if (code_point >= kMapEnd || kFromUnicode[code_point] < 0) return std::nullopt;
  return static_cast<uint8_t>(kFromUnicode[code_point]);
}

std::string encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) utf8::append(out, to_unicode(static_cast<uint8_t>(byte)));
  return out;
}

std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const std::optional<uint8_t> byte = from_unicode(utf8::decode(text, pos));
    if (!byte) return std::string(text);
    out.push_back(static_cast<char>(*byte));
  }
  return out;
}

}  // namespace hearth::byte_level
