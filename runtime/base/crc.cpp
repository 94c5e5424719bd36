#include "runtime/base/crc.h"

#include <array>

namespace hearth {
namespace {

using Table = std::array<uint32_t, 256>;

constexpr Table table_of(uint32_t polynomial) {
  Table table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0u);
    table[byte] = crc;
  }
  return table;
}

uint32_t check(const Table& table, std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

constexpr Table kZlib = table_of(0xedb88320u), kCastagnoli = table_of(0x82f63b78u);

}  // namespace

uint32_t crc32(std::string_view bytes, uint32_t before) { return check(kZlib, bytes, before); }

uint32_t crc32c(std::string_view bytes, uint32_t before) { return check(kCastagnoli, bytes, before); }

}  // namespace hearth
