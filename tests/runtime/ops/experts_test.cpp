// The ops of mixtures of experts; gradients are in gradient_test.cpp.
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/ops/ops.h"
#include "tests/support/expect_internal.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;

std::vector<float> values(const Tensor& x) { return {x.data(), x.data() + x.size()}; }

TEST(Experts, SoftmaxIsOfEachRow) {
  for (const int n : {1, 7, 16, 60, 128}) {
    Tensor x = random_tensor({5, n}, 1, 3.0f);
    for (int i = 0; i < n; ++i) x.row(4)[i] += 500.0f;  // does not overflow
    const Tensor y = ops::softmax(x);
    for (int r = 0; r < 5; ++r) {
      double total = 0;
      for (int i = 0; i < n; ++i) total += std::exp(double{x.row(r)[i]} - x.row(r)[0]);
      for (int i = 0; i < n; ++i) {
        const double expected = std::exp(double{x.row(r)[i]} - x.row(r)[0]) / total;
        EXPECT_NEAR(y.row(r)[i], expected, 2e-6 * expected) << n;  // x less the largest is rounded at about 16
      }
    }
  }
  expect_internal([] { ops::softmax(Tensor::zeros({3})); }, "softmax: x is [3], must be [tokens, n]");
}

TEST(Experts, SigmoidAndShares) {
  const Tensor x = Tensor::from({2, 2}, {0, 2, -3, 100});
  const Tensor y = ops::sigmoid(x);
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(y.data()[i], 1 / (1 + std::exp(-x.data()[i])));
  EXPECT_THAT(values(ops::shares(Tensor::from({3, 2}, {1, 3, 0.25f, 0, 0, 0}))), ElementsAre(0.25f, 0.75f, 1, 0, 0, 0));
  expect_internal([] { ops::sigmoid(Tensor()); }, "sigmoid: x is undefined");
  expect_internal([] { ops::shares(Tensor::zeros({3})); }, "shares: x is [3]");
}

TEST(Experts, PickTakesColumnsOfEachRow) {
  const Tensor x = Tensor::from({2, 3}, {0, 1, 2, 10, 11, 12});
  EXPECT_THAT(values(ops::pick(x, std::vector<int>{2, 0, 1, 1}, 2)), ElementsAre(2, 0, 11, 11));
  expect_internal([&] { ops::pick(x, std::vector<int>{1}, 1); }, "pick: 1 columns for 1 of each row of [2, 3]");
  for (const int column : {-1, 3})
    expect_internal([&] { ops::pick(x, std::vector<int>{0, column}, 1); }, "pick: column");
}

TEST(Experts, CombineWeighsEachTokensRows) {
  const std::vector<ops::ExpertRows> experts = {{{2, 0}, {0, 1}}, {{}, {}}, {{0}, {0}}};
  const Tensor parts[] = {Tensor::from({2, 2}, {1, 2, 3, 4}), Tensor(), Tensor::from({1, 2}, {5, 6})};
  const Tensor weights = Tensor::from({4, 2}, {10, 100, 7, 7, 2, 7, 7, 7});
  EXPECT_THAT(values(ops::combine(parts, experts, weights, 4)), ElementsAre(350, 460, 0, 0, 2, 4, 0, 0));
}

// Whichever tokens share the call, a token's row has the same bits.
TEST(Experts, CombineOfATokenDoesNotDependOnTheOthers) {
  constexpr int kTokens = 50, kExperts = 6, kWidth = 700;
  const Tensor weights = random_tensor({kTokens, kExperts}, 1);
  std::vector<Tensor> parts;
  std::vector<ops::ExpertRows> experts(kExperts);
  for (int e = 0; e < kExperts; ++e) {
    for (int t = 0; t < kTokens; t += e + 1) {
      experts[e].rows.push_back(t);
      experts[e].slots.push_back((t + e) % kExperts);
    }
    parts.push_back(random_tensor({static_cast<int64_t>(experts[e].rows.size()), kWidth}, 10 + e));
  }
  const Tensor all = ops::combine(parts, experts, weights, kTokens);
  for (const int token : {0, 12, 49}) {
    std::vector<Tensor> own(kExperts);
    std::vector<ops::ExpertRows> one(kExperts);
    for (int e = 0; e < kExperts; ++e) {
      if (token % (e + 1) != 0) continue;
      own[e] = ops::gather_rows(parts[e], std::vector<int>{token / (e + 1)});
      one[e] = {{0}, {(token + e) % kExperts}};
    }
    const Tensor alone = ops::combine(own, one, ops::gather_rows(weights, std::vector<int>{token}), 1);
    EXPECT_EQ(values(alone), std::vector<float>(all.row(token), all.row(token) + kWidth)) << token;
  }
}

TEST(Experts, CombineRefusesOtherShapes) {
  const Tensor part = Tensor::zeros({1, 3}), weights = Tensor::zeros({2, 2});
  const auto combine = [](const std::vector<Tensor>& parts, const std::vector<ops::ExpertRows>& experts,
                          const Tensor& w) { return [=] { ops::combine(parts, experts, w, 2); }; };
  expect_internal(combine({part}, {{{0}, {0}}}, Tensor::zeros({3, 2})), "combine: weights are [3, 2], must be [2, k]");
  expect_internal(combine({part}, {{{0}, {0}}}, Tensor()), "combine: weights are []");
  expect_internal(combine({part}, {}, weights), "combine: 1 parts of 0 experts");
  expect_internal(combine({part}, {{{0}, {}}}, weights), "combine: expert 0 has 1 rows and 0 slots");
  expect_internal(combine({part}, {{{0, 1}, {0, 0}}}, weights), "combine: part 0 is [1, 3], must be [2, 3]");
  expect_internal(combine({part, Tensor()}, {{{0}, {0}}, {{1}, {0}}}, weights), "combine: part 1 is []");
  expect_internal(combine({part}, {{{2}, {0}}}, weights), "combine: expert 0 has token 2");
  expect_internal(combine({part}, {{{0}, {2}}}, weights), "combine: expert 0 has token 0 with weight 2");
  expect_internal(combine({Tensor()}, {{{}, {}}}, weights), "combine: no expert has a row");
}

}  // namespace
}  // namespace hearth
