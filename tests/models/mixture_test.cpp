#include "models/mixture.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth {
namespace {

using ::testing::ElementsAre;

Tensor row(const std::vector<float>& values) {
  Tensor x({1, static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

TEST(Experts, AreTheBestOfEachRow) {
  Tensor scores({2, 4});
  const float values[] = {.1f, .4f, .2f, .3f, .25f, .25f, .25f, .25f};
  std::copy(std::begin(values), std::end(values), scores.data());
  EXPECT_THAT(choose_experts(scores, {}, {.num_experts_per_tok = 2}), ElementsAre(1, 3, 0, 1));
}

TEST(Experts, OfOtherGroupsAreNotChosen) {
  const Tensor scores = row({.9f, .1f, .5f, .6f, .2f, .3f});
  const MixtureConfig one_group = {.num_experts_per_tok = 2, .n_group = 3, .topk_group = 1};
  EXPECT_THAT(choose_experts(scores, {}, one_group), ElementsAre(0, 1)) << "a group is as good as its best";
  const std::vector<float> bias(6, 0.f);
  EXPECT_THAT(choose_experts(scores, bias, one_group), ElementsAre(3, 2)) << "or as the sum of its two best";
  const MixtureConfig two_groups = {.num_experts_per_tok = 3, .n_group = 3, .topk_group = 2};
  EXPECT_THAT(choose_experts(scores, {}, two_groups), ElementsAre(0, 3, 2));
}

TEST(Experts, AreChosenWithTheBias) {
  const std::vector<float> bias = {0, 0, 1, 0};
  EXPECT_THAT(choose_experts(row({.4f, .3f, .1f, .2f}), bias, {.num_experts_per_tok = 2}), ElementsAre(2, 0));
}

}  // namespace
}  // namespace hearth
