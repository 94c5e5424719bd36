#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/base/random.h"

namespace hearth {
namespace {

TEST(Error, CarriesItsCodeAndText) {
  try {
    throw invalid_argument("job '{}': lora_rank is {}, must be at least 1", "tune-1", 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "job 'tune-1': lora_rank is 0, must be at least 1");
  }
}

TEST(Error, CheckThrowsInternalWithItsPlace) {
  try {
    HEARTH_CHECK(1 + 1 == 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("base_test.cpp"), std::string::npos);
  }
}

TEST(Parallel, EveryIndexIsVisitedOnceForAnySizeAndGrain) {
  for (const int64_t n : {0, 1, 2, 3, 7, 64, 1001}) {
    for (const int64_t grain : {0, 1, 5, 2000}) {
      std::vector<std::atomic<int>> visits(n);
      parallel_for(n, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++visits[i];
      });
      for (const auto& count : visits) EXPECT_EQ(count.load(), 1) << n << " " << grain;
    }
  }
}

TEST(Parallel, WhatAThreadThrowsIsThrownToTheCaller) {
  for (const int64_t n : {1, 2, 64}) {
    EXPECT_THROW(parallel_for(n, 1, [](int64_t, int64_t) { throw std::bad_alloc(); }), std::bad_alloc);
    EXPECT_THROW(on_threads(num_threads(),
                            [&](int64_t t, int64_t threads) {
                              if (t == threads - 1) throw std::bad_alloc();
                            }),
                 std::bad_alloc);
  }
}

TEST(Random, MatchesThePublishedSplitMix64Sequence) {
  Random random(1234567);  // Rosetta Code's vector for seed 1234567
  for (const uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u})
    EXPECT_EQ(random.next(), expected);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random(7);
  double sum = 0, squares = 0;
  const int n = 100'000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squares / n, 1, 0.02);
}

TEST(Cpu, DescriptionNamesTheInstructionSet) { EXPECT_NE(cpu_description().find(to_string(isa())), std::string::npos); }

}  // namespace
}  // namespace hearth
