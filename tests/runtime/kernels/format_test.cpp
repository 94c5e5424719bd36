#include "runtime/kernels/format.h"

#include <cctype>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "runtime/kernels/packed_weight.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth {
namespace {

TEST(Format, DequantizesEveryFormatAsTheReferenceDoesBitForBit) {
  for (const Format format : kAllFormats) {
    std::string name(info(format).name);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    const std::string golden = read_file("tests/golden/formats/" + name + ".bin");
    uint32_t n;
    std::memcpy(&n, golden.data(), sizeof n);
    const size_t size = row_bytes(format, n);
    ASSERT_EQ(golden.size(), sizeof n + size + n * sizeof(float)) << name;
    std::vector<float> expected(n), values(n);
    std::memcpy(expected.data(), golden.data() + sizeof n + size, n * sizeof(float));
    dequantize(format, reinterpret_cast<const std::byte*>(golden.data()) + sizeof n, n, values.data());
    for (uint32_t i = 0; i < n; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(expected[i])) << name << " value " << i;
    }
  }
}

TEST(Half, EveryF16SurvivesTheWayToF32AndBack) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float value = f16_to_f32(static_cast<uint16_t>(h));
    if (std::isnan(value)) continue;
    ASSERT_EQ(f32_to_f16(value), h);
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(f32_to_f16(1.f + 0x1p-11f), 0x3c00);  // a tie: down to even
  EXPECT_EQ(f32_to_f16(1.f + 0x3p-11f), 0x3c02);  // a tie: up to even
  EXPECT_EQ(f32_to_f16(1.f + 0x1p-11f + 0x1p-20f), 0x3c01);
  EXPECT_EQ(f32_to_f16(65519.f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-0x1p-25f), 0x8000);  // a tie below the smallest subnormal
  EXPECT_EQ(f32_to_f16(0x1.8p-24f), 0x0002);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::numeric_limits<float>::quiet_NaN()))));
}

// The value at [output, input] of a packed weight, read as packed_weight.h describes it.
float packed_value(const kernels::PackedWeight& w, int64_t output, int64_t input) {
  const auto* block =
      reinterpret_cast<const uint8_t*>(w.panel(output / 16)) + static_cast<size_t>(input / 32) * w.block_bytes;
  const int i = static_cast<int>(input % 32), o = static_cast<int>(output % 16), inputs_per_word = 32 / w.bits;
  uint32_t word;
  std::memcpy(&word, block + (i / inputs_per_word * 16 + o) * 4, 4);
  const int in_word = i % inputs_per_word;
  const int code = static_cast<int>(word >> (in_word % 2 * 16 + in_word / 2 * w.bits) & ((1u << w.bits) - 1));
  const auto half = [&](int index) {
    uint16_t h;
    std::memcpy(&h, block + 32 * 16 * w.bits / 8 + (index * 16 + o) * 2, 2);
    return f16_to_f32(h);
  };
  const int group = i / (32 / w.groups);
  if (w.has_minimum) return half(group) * static_cast<float>(code) + half(w.groups + group);
  return half(group) * static_cast<float>(code - w.zero);
}

TEST(Pack, KeepsEveryValueUpToTheRoundingOfProductScales) {
  constexpr int64_t kOut = 19, kIn = 512;
  for (const Format format : kAllFormats) {
    if (!kernels::can_pack(format, kIn)) continue;
    const std::vector<std::byte> rows = random_rows(format, kOut, kIn, 5);
    std::vector<float> values(kOut * kIn);
    dequantize(format, rows.data(), kOut * kIn, values.data());
    const auto packed = kernels::pack(format, kOut, kIn, rows.data());
    const bool exact = info(format).block_size == 32;  // the scales of K formats are products
    for (int64_t o = 0; o < kOut; ++o) {
      for (int64_t i = 0; i < kIn; ++i) {
        const float value = values[static_cast<size_t>(o * kIn + i)];
        // scale * code and the minimum each have a relative error of 2^-11, and scales here are below 2
        const float bound = exact ? 0.f : 0x1p-11f * (std::abs(value) + 4.f);
        ASSERT_NEAR(packed_value(*packed, o, i), value, bound) << info(format).name << " at " << o << ", " << i;
      }
    }
  }
}

TEST(Pack, ServesQuantisedFormatsOfWholeBlocksOnly) {
  EXPECT_FALSE(kernels::can_pack(Format::kF32, 64));
  EXPECT_FALSE(kernels::can_pack(Format::kF16, 64));
  EXPECT_FALSE(kernels::can_pack(Format::kBF16, 64));
  EXPECT_TRUE(kernels::can_pack(Format::kQ4_1, 64));
  EXPECT_TRUE(kernels::can_pack(Format::kQ6_K, 256));
}

}  // namespace
}  // namespace hearth
