#include "finetune/sampler.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/finetune/optim/golden.h"

namespace hearth {
namespace {

using testing::IsEmpty;

TEST(Sampler, OrdersAreTorchsAndTransformers) {
  const nlohmann::json orders = optim_cases()["orders"];
  for (const nlohmann::json& row : orders["permutations"]) {
    const auto expected = row["order"].get<std::vector<int>>();
    EXPECT_EQ(random_permutation(row["n"], row["seed"].get<uint64_t>()), expected) << "n " << row["n"];
    EXPECT_EQ(epoch_order(row["n"], row["seed"].get<int64_t>() - 3, 3), expected) << "n " << row["n"];
  }
  for (const nlohmann::json& row : orders["grouped"]) {
    const auto lengths = row["lengths"].get<std::vector<int>>();
    EXPECT_EQ(length_grouped_order(lengths, row["batch"], row["seed"], 0), row["order"].get<std::vector<int>>())
        << "n " << lengths.size();
  }
}

TEST(Sampler, NoExamplesHaveAnOrderToo) {
  EXPECT_THAT(random_permutation(0, 1), IsEmpty());
  EXPECT_THAT(length_grouped_order({}, 2, 1, 0), IsEmpty());
}

}  // namespace
}  // namespace hearth
