#include "runtime/weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/kernels/packed_weight.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth {
namespace {

TEST(Weight, OwnsTheValuesItIsMadeFrom) {
  const std::vector<float> values = random_values(3 * 5, 1);
  const Weight w = Weight::from_values(3, 5, values);
  std::vector<float> rows(10);
  w.dequantize_rows(1, 3, rows.data());
  EXPECT_EQ(rows, std::vector<float>(values.begin() + 5, values.end()));
  EXPECT_EQ(w.format(), Format::kF32);
  EXPECT_FALSE(Weight().defined());
}

TEST(Weight, KeepsTheOwnerOfItsRowsAlive) {
  auto owner = std::make_shared<std::vector<std::byte>>(random_rows(Format::kQ8_0, 2, 32, 2));
  Weight w(Format::kQ8_0, 2, 32, owner->data(), owner);
  const Weight copy = w;
  w = Weight();
  EXPECT_EQ(owner.use_count(), 2);
  EXPECT_EQ(copy.row(1), owner->data() + 34);
}

TEST(Weight, RefusesShapesThatItsFormatCannotHold) {
  const std::byte byte{};
  const auto error = [&](Format format, int64_t out, int64_t in) {
    try {
      Weight(format, out, in, &byte, nullptr);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error(Format::kQ4_1, 4, 48), testing::HasSubstr("blocks of 32 values and 48 is not a multiple"));
  EXPECT_THAT(error(Format::kQ4_K, 4, 128), testing::HasSubstr("blocks of 256 values"));
  EXPECT_THAT(error(Format::kF32, 0, 4), testing::HasSubstr("at least 1"));
  EXPECT_THAT(error(Format::kF32, int64_t{1} << 40, int64_t{1} << 40), testing::HasSubstr("too large"));
  EXPECT_THROW(Weight::from_values(2, 3, {1, 2, 3, 4, 5}), Error);
}

TEST(Weight, IsPackedForTheFastPathWhenItsFormatHasCodes) {
  auto owner = std::make_shared<std::vector<std::byte>>(random_rows(Format::kQ4_1, 20, 64, 3));
  Weight w(Format::kQ4_1, 20, 64, owner->data(), owner);
  EXPECT_EQ(w.packed(), nullptr);
  w.prepare(ComputeDtype::kAuto);
  ASSERT_NE(w.packed(), nullptr);
  EXPECT_EQ(w.packed()->out, 20);
  w.prepare(ComputeDtype::kFloat32);
  EXPECT_EQ(w.packed(), nullptr);
  Weight plain = Weight::from_values(1, 32, std::vector<float>(32, 1.f));
  plain.prepare(ComputeDtype::kAuto);
  EXPECT_EQ(plain.packed(), nullptr);
}

// What 16-bit numbers are multiplied with fastest, where the CPU has it.
TEST(Weight, TheFastPathLosesNothingOfTheWeights) {
  for (const Format format : {Format::kBF16, Format::kF16}) {
    auto owner = std::make_shared<std::vector<std::byte>>(random_rows(format, 20, 40, 3));
    Weight w(format, 20, 40, owner->data(), owner);
    w.prepare(ComputeDtype::kAuto);
    EXPECT_EQ(w.is_bf16(), format == Format::kBF16 && isa() >= Isa::kAvx512);
    w.prepare(ComputeDtype::kFloat32);
    EXPECT_EQ(w.packed(), nullptr);
  }
}

TEST(Weight, AnyFormatIsPackedInBf16) {
  auto owner = std::make_shared<std::vector<std::byte>>(random_rows(Format::kQ4_1, 20, 64, 4));
  Weight quantised(Format::kQ4_1, 20, 64, owner->data(), owner), plain = Weight::from_values(2, 3, {1, 2, 3, 4, 5, 6});
  for (Weight* w : {&quantised, &plain}) {
    w->prepare(ComputeDtype::kBFloat16);
    ASSERT_NE(w->packed(), nullptr);
    EXPECT_TRUE(w->packed()->is_bf16());
  }
}

}  // namespace
}  // namespace hearth
