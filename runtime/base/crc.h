// Cyclic redundancy checks of 32 bits, reflected, as zlib and the iSCSI standard (Castagnoli) define them.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth {

// `before` is the check of the bytes before these.
uint32_t crc32(std::string_view bytes, uint32_t before = 0);
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace hearth
