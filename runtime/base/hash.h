// FNV-1a, 64 bits: tells apart what differs by mistake or by chance, not what somebody made to collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace hearth {

class Hash {
 public:
  Hash& add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0xff);  // no byte of UTF-8: texts keep their borders
    return *this;
  }
  Hash& add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) add_byte(static_cast<uint64_t>(byte));
    return *this;
  }
  uint64_t value() const { return value_; }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  void add_byte(uint64_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace hearth
