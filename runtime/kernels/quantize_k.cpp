// Scales of sub-blocks are fitted first, then rounded to the super-block's 6 or 8 bits, and the codes are those that
// come nearest with the rounded ones.
#include "runtime/kernels/quantize_k.h"

#include <cstring>

#include "runtime/kernels/fit_codes.h"
#include "runtime/kernels/half.h"

namespace hearth::kernels {
namespace {

constexpr int kSuperBlock = 256;

struct ScalesAndMinima {
  uint16_t d, dmin;
  int scales[8], minima[8];  // 6 bits each
};

// Sub-blocks of 32 values as d * scale * code - dmin * minimum.
ScalesAndMinima fit_scales_and_minima(const float* x, int most) {
  constexpr float kMost = 63;
  Affine fits[8];
  float largest_scale = 0, largest_minimum = 0;
  for (int j = 0; j < 8; ++j) {
    fits[j] = fit_affine<32>(x + 32 * j, most, /*takes_away=*/true);
    largest_scale = std::max(largest_scale, fits[j].scale);
    largest_minimum = std::max(largest_minimum, -fits[j].minimum);
  }
  ScalesAndMinima out{f32_to_f16(largest_scale / kMost), f32_to_f16(largest_minimum / kMost), {}, {}};
  const float per_scale = inverse(f16_to_f32(out.d)), per_minimum = inverse(f16_to_f32(out.dmin));
  for (int j = 0; j < 8; ++j) {
    out.scales[j] = static_cast<int>(clamped(nearest(per_scale * fits[j].scale), 0, kMost));
    out.minima[j] = static_cast<int>(clamped(nearest(per_minimum * -fits[j].minimum), 0, kMost));
  }
  return out;
}

// d[2] dmin[2] scales[12]
void put_scales_and_minima(const ScalesAndMinima& from, uint8_t* block) {
  std::memcpy(block, &from.d, 2);
  std::memcpy(block + 2, &from.dmin, 2);
  uint8_t* packed = block + 4;
  for (int j = 0; j < 4; ++j) {
    const int scale = from.scales[j + 4], minimum = from.minima[j + 4];
    packed[j] = static_cast<uint8_t>(from.scales[j] | scale >> 4 << 6);
    packed[j + 4] = static_cast<uint8_t>(from.minima[j] | minimum >> 4 << 6);
    packed[j + 8] = static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
  }
}

void nearest_codes(const ScalesAndMinima& with, const float* x, int most, uint8_t* codes) {
  for (int j = 0; j < 8; ++j) {
    const float per_value = inverse(f16_to_f32(with.d) * static_cast<float>(with.scales[j]));
    const float minimum = f16_to_f32(with.dmin) * static_cast<float>(with.minima[j]);
    for (int i = 0; i < 32; ++i)
      codes[32 * j + i] =
          static_cast<uint8_t>(clamped(nearest(per_value * (x[32 * j + i] + minimum)), 0, static_cast<float>(most)));
  }
}

// Two sub-blocks share bytes: low and high nibbles.
void put_nibbles(const uint8_t* codes, uint8_t* out) {
  for (int j = 0; j < 8; j += 2)
    for (int i = 0; i < 32; ++i)
      out[16 * j + i] = static_cast<uint8_t>((codes[32 * j + i] & 15) | (codes[32 * (j + 1) + i] & 15) << 4);
}

}  // namespace

void write_q4_k(const float* values, uint8_t* block) {  // d[2] dmin[2] scales[12] codes[128]
  constexpr int kMost = 15;
  const ScalesAndMinima with = fit_scales_and_minima(values, kMost);
  uint8_t codes[kSuperBlock];
  nearest_codes(with, values, kMost, codes);
  put_scales_and_minima(with, block);
  put_nibbles(codes, block + 16);
}

void write_q5_k(const float* values, uint8_t* block) {  // d[2] dmin[2] scales[12] high[32] codes[128]
  constexpr int kMost = 31;
  const ScalesAndMinima with = fit_scales_and_minima(values, kMost);
  uint8_t codes[kSuperBlock];
  nearest_codes(with, values, kMost, codes);
  put_scales_and_minima(with, block);
  for (int i = 0; i < 32; ++i) {
    int high = 0;
    for (int j = 0; j < 8; ++j) high |= codes[32 * j + i] >> 4 << j;
    block[16 + i] = static_cast<uint8_t>(high);
  }
  put_nibbles(codes, block + 48);
}

void write_q6_k(const float* values, uint8_t* block) {  // codes[128] high[64] scales[16], signed; d[2]
  constexpr int kMost = 32;
  float fits[16], furthest = 0;
  for (int k = 0; k < 16; ++k) {
    fits[k] = fit_symmetric<16>(values + 16 * k, kMost);
    if (std::fabs(fits[k]) > std::fabs(furthest)) furthest = fits[k];
  }
  const uint16_t d = f32_to_f16(furthest / -128);
  const float per_scale = inverse(f16_to_f32(d));
  std::memset(block, 0, 192);
  for (int k = 0; k < 16; ++k) {
    const auto scale = static_cast<int8_t>(clamped(nearest(per_scale * fits[k]), -128, 127));
    const float per_value = inverse(f16_to_f32(d) * static_cast<float>(scale));
    block[192 + k] = static_cast<uint8_t>(scale);
    const int j = k / 2;  // 32 values share a shift
    uint8_t* low = block + j / 4 * 64 + j % 2 * 32 + k % 2 * 16;
    uint8_t* high = block + 128 + j / 4 * 32 + k % 2 * 16;
    for (int i = 0; i < 16; ++i) {
      const int code = static_cast<int>(clamped(nearest(per_value * values[16 * k + i]), -kMost, kMost - 1)) + kMost;
      low[i] = static_cast<uint8_t>(low[i] | (code & 15) << (j % 4 < 2 ? 0 : 4));
      high[i] = static_cast<uint8_t>(high[i] | code >> 4 << 2 * (j % 4));
    }
  }
  std::memcpy(block + 208, &d, sizeof d);
}

}  // namespace hearth::kernels
