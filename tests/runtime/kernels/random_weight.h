// Random weights in every storage format, and what they stand for.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/kernels/format.h"
#include "runtime/kernels/half.h"

namespace hearth {

inline constexpr std::array<Format, kFormatCount> kAllFormats = {
    Format::kF32,  Format::kF16,  Format::kBF16, Format::kQ4_0, Format::kQ4_1, Format::kQ5_0, Format::kQ5_1,
    Format::kQ8_0, Format::kQ2_K, Format::kQ3_K, Format::kQ4_K, Format::kQ5_K, Format::kQ6_K};

// Byte offsets of the f16 numbers in a block; all other bytes may have any value.
inline std::vector<int> scale_offsets(Format format) {
  switch (format) {
    case Format::kQ4_0:
    case Format::kQ5_0:
    case Format::kQ8_0:
      return {0};
    case Format::kQ4_1:
    case Format::kQ5_1:
    case Format::kQ4_K:
    case Format::kQ5_K:
      return {0, 2};
    case Format::kQ2_K:
      return {80, 82};
    case Format::kQ3_K:
      return {108};
    case Format::kQ6_K:
      return {208};
    default:
      return {};
  }
}

// `out` rows of `in` values, in blocks of random codes and scales around 0.01.
inline std::vector<std::byte> random_rows(Format format, int64_t out, int64_t in, uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> rows(static_cast<size_t>(out) * row_bytes(format, in));
  if (format == Format::kF32) {
    for (size_t i = 0; i < rows.size(); i += 4) {
      const float value = random.normal();
      std::memcpy(&rows[i], &value, 4);
    }
    return rows;
  }
  if (format == Format::kF16 || format == Format::kBF16) {
    for (size_t i = 0; i < rows.size(); i += 2) {
      const float value = random.normal();
      const uint16_t h =
          format == Format::kF16 ? f32_to_f16(value) : static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
      std::memcpy(&rows[i], &h, 2);
    }
    return rows;
  }
  for (std::byte& byte : rows) byte = static_cast<std::byte>(random.below(256));
  for (size_t block = 0; block < rows.size(); block += static_cast<size_t>(info(format).block_bytes)) {
    for (const int offset : scale_offsets(format)) {
      const uint16_t h = f32_to_f16(0.01f * random.normal());
      std::memcpy(&rows[block + static_cast<size_t>(offset)], &h, 2);
    }
  }
  return rows;
}

inline std::vector<float> random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = random.normal();
  return values;
}

}  // namespace hearth
