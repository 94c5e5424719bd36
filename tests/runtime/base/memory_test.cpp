#include "runtime/base/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

TEST(Memory, AmountsAsUsersWriteThem) {
  constexpr int64_t kGiB = int64_t{1} << 30;
  const std::pair<const char*, int64_t> amounts[] = {{"8GiB", 8 * kGiB},  {"1.5 GiB", kGiB + kGiB / 2},
                                                     {"4096", 4096},      {"500MB", 500'000'000},
                                                     {"64 KiB", 1 << 16}, {"2TiB", 2048 * kGiB}};
  for (const auto& [text, bytes] : amounts) EXPECT_EQ(parse_memory(text), bytes) << text;
  for (const char* text :
       {"", "GiB", "8Gib", "8 G", "-1GiB", "0", "nan", "inf", "1e9", "4096TiB4", "99999999TiB", "0.1"})
    EXPECT_THROW(parse_memory(text), Error) << text;
  EXPECT_EQ(format_memory(98'400'000), "93.8 MiB");
  EXPECT_EQ(format_memory(8 * kGiB), "8.0 GiB");
  EXPECT_EQ(format_memory(512), "0.5 KiB");
}

TEST(Memory, OfThisMachineAndProcess) {
  EXPECT_GT(resident_memory(), 1 << 20);
  EXPECT_GE(available_memory(), resident_memory());
  EXPECT_GT(total_memory(), resident_memory());
}

}  // namespace
}  // namespace hearth
