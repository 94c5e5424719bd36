// Integers as files store them, least significant byte first.
#pragma once

#include <cstddef>
#include <string>

namespace hearth {

template <class Unsigned>
void append_little_endian(std::string& bytes, Unsigned value) {
  for (size_t i = 0; i < sizeof(Unsigned); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
}

}  // namespace hearth
