// 16-bit floats as weights and caches store them, converted by integer arithmetic: exact to f32, to nearest even from
// f32. Portable; kernels with F16C use that instead and get the same values.
#pragma once

#include <bit>
#include <cstdint>

namespace hearth {

inline float bf16_to_f32(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);  // nan
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);                  // may carry into infinity
}

inline float f16_to_f32(uint16_t h) {
  // The exponent's bias grows by 112; the product also normalises subnormals. No branches, so that loops become
  // vectors.
  const float magnitude = std::bit_cast<float>(static_cast<uint32_t>(h & 0x7fffu) << 13) * 0x1p112f;
  const uint32_t special = magnitude >= 65536.f ? 0x7f800000u : 0u;  // inf, nan
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | special | static_cast<uint32_t>(h & 0x8000u) << 16);
}

inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);   // nan
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65536 and above
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000u));
  }
  const uint32_t odd = magnitude >> 13 & 1u;
  return static_cast<uint16_t>(sign | (magnitude - (112u << 23) + 0xfffu + odd) >> 13);  // may carry into infinity
}

}  // namespace hearth
