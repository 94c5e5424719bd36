#include "runtime/engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/random.h"

namespace hearth {
namespace {

std::vector<float> random_logits(size_t n) {
  Random random(11);
  std::vector<float> x(n);
  for (float& v : x) v = 4 * random.normal();
  return x;
}

TEST(Logprobs, AreTheLogSoftmax) {
  const std::vector<float> x = random_logits(5000);
  double sum = 0;
  for (const float v : x) sum += std::exp(static_cast<double>(v));
  for (const TokenId id : {0, 17, 4999}) EXPECT_NEAR(describe(x, id, 0).logprob, x[id] - std::log(sum), 5e-6);
}

TEST(Logprobs, TopIsSortedAndAgreesToTheBit) {
  const std::vector<float> x = random_logits(777);
  std::vector<TokenId> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](TokenId a, TokenId b) { return x[a] > x[b]; });
  const TokenOutput output = describe(x, order[3], 20);
  ASSERT_EQ(output.top.size(), 20u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(output.top[i].id, order[i]);
  EXPECT_EQ(output.top[3].logprob, output.logprob);
}

TEST(Logprobs, EqualLogitsStandInOrderOfTheirIds) {
  const TokenOutput output = describe(std::vector<float>{1, 2, 2, 1, 2}, 0, 4);
  ASSERT_EQ(output.top.size(), 4u);
  EXPECT_EQ(output.top[0].id, 1);
  EXPECT_EQ(output.top[1].id, 2);
  EXPECT_EQ(output.top[2].id, 4);
  EXPECT_EQ(output.top[3].id, 0);
}

TEST(Logprobs, ThoseThatWereAskedForComeLast) {
  const TokenOutput output = describe(std::vector<float>{1, 3, 2, 0}, 2, 1, std::vector<TokenId>{3, 0});
  ASSERT_EQ(output.top.size(), 3u);
  EXPECT_EQ(output.top[0].id, 1);
  EXPECT_EQ(output.top[1].id, 3);
  EXPECT_EQ(output.top[2].id, 0);
  EXPECT_NEAR(output.top[1].logprob, output.logprob - 2, 1e-6);
  EXPECT_NEAR(output.top[2].logprob, output.logprob - 1, 1e-6);
}

TEST(Logprobs, TopIsNoLongerThanTheVocabulary) { EXPECT_EQ(describe(std::vector<float>{1, 2}, 0, 20).top.size(), 2u); }

TEST(Logprobs, RefuseLogitsThatAreNotNumbers) {
  EXPECT_THROW(describe(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, 0, 0), Error);
}

}  // namespace
}  // namespace hearth
