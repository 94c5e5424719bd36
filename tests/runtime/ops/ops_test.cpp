// What ops compute and refuse; gradients are in gradient_test.cpp.
#include "runtime/ops/ops.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

template <class Fn>
void expect_internal(Fn fn, const std::string& text) {
  try {
    fn();
    ADD_FAILURE() << "did not throw: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

Weight small_weight() { return Weight::from_values(2, 3, {1, 2, 3, 4, 5, 6}); }

Batch batch_of(int begin, int end, int past = 0) {
  Batch batch;
  for (int i = begin; i < end; ++i) {
    batch.token_ids.push_back(0);
    batch.positions.push_back(past + i - begin);
  }
  batch.segments = {{.begin = 0, .end = end - begin, .past = past}};
  return batch;
}

TEST(Ops, EmbeddingTakesRowsOfTheTable) {
  const std::vector<TokenId> ids = {1, 0, 1};
  const Tensor y = ops::embedding(ids, small_weight());
  EXPECT_EQ(y.shape(), (Shape{3, 3}));
  EXPECT_EQ(y.row(0)[0], 4);
  EXPECT_EQ(y.row(1)[2], 3);
  EXPECT_EQ(y.row(2)[1], 5);
}

TEST(Ops, EmbeddingRefusesIdsOutsideTheTable) {
  for (const TokenId id : {-1, 2})
    expect_internal([&] { ops::embedding(std::vector<TokenId>{id}, small_weight()); }, "embedding: id");
}

TEST(Ops, LinearIsXTimesTheTransposedWeightPlusBias) {
  const Tensor x = Tensor::from({1, 3}, {1, 0, -1});
  const Tensor y = ops::linear(x, small_weight(), Tensor::from({2}, {10, 20}));
  EXPECT_EQ(y.shape(), (Shape{1, 2}));
  EXPECT_EQ(y.data()[0], 8);
  EXPECT_EQ(y.data()[1], 18);
}

TEST(Ops, LinearRefusesOtherShapes) {
  const Weight w = small_weight();
  expect_internal([&] { ops::linear(Tensor::zeros({1, 4}), w); }, "linear: x is [1, 4], must be [tokens, 3]");
  expect_internal([&] { ops::linear(Tensor::zeros({3}), w); }, "linear: x is [3]");
  expect_internal([&] { ops::linear(Tensor::zeros({1, 3}), w, Tensor::zeros({3})); }, "linear: bias is [3]");
  expect_internal([&] { ops::linear(Tensor::zeros({1, 3}), Weight()); }, "linear: the weight is undefined");
}

TEST(Ops, ElementwiseOpsRefuseOtherShapes) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({3, 2});
  expect_internal([&] { ops::add(a, b); }, "add: shapes must be equal, are [2, 3] and [3, 2]");
  expect_internal([&] { ops::multiply(a, b); }, "multiply: shapes");
  expect_internal([&] { ops::silu_multiply(a, Tensor()); }, "silu_multiply: shapes");
  expect_internal([&] { ops::mean(Tensor::zeros({0})); }, "mean: x is [0]");
}

TEST(Ops, RmsNormDividesByTheRootOfTheMeanSquare) {
  const Tensor y = ops::rms_norm(Tensor::from({1, 2}, {3, 4}), Tensor::from({2}, {1, 2}), 0.0f);
  const float rms = std::sqrt(12.5f);
  EXPECT_FLOAT_EQ(y.data()[0], 3 / rms);
  EXPECT_FLOAT_EQ(y.data()[1], 8 / rms);
  const Tensor heads = ops::rms_norm(Tensor::from({1, 4}, {3, 4, 0, 2}), Tensor::from({2}, {1, 2}), 0.0f);
  EXPECT_FLOAT_EQ(heads.data()[1], 8 / rms);
  EXPECT_FLOAT_EQ(heads.data()[3], 4 / std::sqrt(2.0f));
  expect_internal([] { ops::rms_norm(Tensor::zeros({1, 2}), Tensor::zeros({3}), 0); }, "rms_norm: weight is [3]");
}

TEST(Ops, GatherRowsRefusesRowsThatAreNotThere) {
  const Tensor x = random_tensor({3, 5}, 1);
  const Tensor y = ops::gather_rows(x, std::vector<int>{2});
  EXPECT_EQ(y.data()[4], x.row(2)[4]);
  for (const int row : {-1, 3})
    expect_internal([&] { ops::gather_rows(x, std::vector<int>{row}); }, "gather_rows: row");
}

TEST(Ops, TokenLogprobsIsTheLogOfTheSoftmax) {
  const Tensor hidden = random_tensor({3, 3}, 1);
  const Weight head = small_weight();
  const Tensor logits = ops::logits(hidden, head);
  const Tensor y = ops::token_logprobs(hidden, head, std::vector<TokenId>{1, -100, 0});
  EXPECT_EQ(y.shape(), (Shape{3}));
  const auto expected = [&](int row, int target) {
    const float* l = logits.row(row);
    return l[target] - std::log(std::exp(l[0]) + std::exp(l[1]));
  };
  EXPECT_NEAR(y.data()[0], expected(0, 1), 1e-5);
  EXPECT_EQ(y.data()[1], 0);
  EXPECT_NEAR(y.data()[2], expected(2, 0), 1e-5);
}

TEST(Ops, TokenLogprobsOfARowDoesNotDependOnTheOthers) {
  Random random(2);
  std::vector<float> values(5000 * 8);
  for (float& v : values) v = random.normal();
  const Weight head = Weight::from_values(5000, 8, values);
  const int rows = 600;  // more than a chunk
  const Tensor hidden = random_tensor({rows, 8}, 3);
  std::vector<TokenId> targets(rows);
  for (int i = 0; i < rows; ++i) targets[i] = i * 8;
  const Tensor all = ops::token_logprobs(hidden, head, targets);
  for (const int row : {0, 255, 256, 599}) {
    const Tensor alone = ops::gather_rows(hidden, std::vector<int>{row});
    EXPECT_EQ(ops::token_logprobs(alone, head, std::vector<TokenId>{targets[row]}).data()[0], all.data()[row]) << row;
  }
}

TEST(Ops, TokenLogprobsRefusesOtherShapes) {
  const Weight head = small_weight();
  const std::vector<TokenId> target = {2};
  expect_internal([&] { ops::token_logprobs(Tensor::zeros({1, 3}), head, target); }, "token_logprobs: target 2");
  expect_internal([&] { ops::token_logprobs(Tensor::zeros({2, 3}), head, target); }, "token_logprobs: 1 targets");
  expect_internal(
      [&] {
        ops::token_logprobs(Tensor::zeros({1, 2}), head, target);
      },
      "token_logprobs: hidden is [1, 2]");
}

TEST(Rope, TurnsEachPairByPositionTimesFrequency) {
  const Rope rope{.head_dim = 4, .inverse_frequencies = {0.5f}, .attention_factor = 2.0f, .dynamic = {}};
  Batch batch = batch_of(0, 1);
  batch.positions = {3};
  const Tensor y = ops::rope(Tensor::from({1, 4}, {1, 2, 5, 6}), batch, rope);
  EXPECT_FLOAT_EQ(y.data()[0], 2 * (std::cos(1.5f) - 2 * std::sin(1.5f)));
  EXPECT_FLOAT_EQ(y.data()[1], 2 * (std::sin(1.5f) + 2 * std::cos(1.5f)));
  EXPECT_EQ(y.data()[2], 5);  // dimensions past the rotary ones stay
  EXPECT_EQ(y.data()[3], 6);
}

TEST(Rope, FollowsTheBatchThatChanges) {
  const Rope rope{.head_dim = 2, .inverse_frequencies = {1.0f}, .attention_factor = 1.0f, .dynamic = {}};
  Batch batch = batch_of(0, 1);
  for (const int position : {3, 4, 3, 5, 4}) {
    batch.positions = {position};
    EXPECT_FLOAT_EQ(ops::rope(Tensor::from({1, 2}, {1, 0}), batch, rope).data()[0],
                    std::cos(static_cast<float>(position)));
  }
}

// transformers' dynamic scaling: the base grows with the sequence once that is longer than the original context.
TEST(Rope, DynamicGoesByTheLengthOfTheSequence) {
  const Rope rope{.head_dim = 4,
                  .inverse_frequencies = {1.0f, 0.1f},
                  .attention_factor = 1.0f,
                  .dynamic = Rope::Dynamic{100.0f, 2.0f, 8}};
  const Tensor x = Tensor::from({1, 4}, {0, 1, 0, 0});
  const auto second_cosine = [&](Batch batch) { return ops::rope(x, batch, rope).data()[1]; };
  const auto expected = [](int position, int length) {
    const double base = 100.0 * std::pow(2.0 * length / 8.0 - 1.0, 2.0);
    return static_cast<float>(std::cos(position / std::sqrt(base)));
  };
  KvCache cache({1, 1, 8}, 1, KvFormat::kF32);
  Batch decoded = batch_of(0, 1, 6);
  decoded.cache = &cache;
  EXPECT_FLOAT_EQ(second_cosine(decoded), std::cos(0.6f));
  decoded = batch_of(0, 1, 11);
  decoded.cache = &cache;
  EXPECT_FLOAT_EQ(second_cosine(decoded), expected(11, 12));
  Batch chunk = batch_of(0, 1, 6);
  chunk.cache = &cache;
  chunk.segments[0].prompt_length = 20;
  EXPECT_FLOAT_EQ(second_cosine(chunk), expected(6, 20));

  const Batch whole = batch_of(0, 20);  // without a cache a segment is the whole sequence
  Tensor rows = Tensor::zeros({20, 4});
  for (int r = 0; r < 20; ++r) rows.row(r)[1] = 1;
  EXPECT_FLOAT_EQ(ops::rope(rows, whole, rope).row(6)[1], expected(6, 20));
}

TEST(Rope, RefusesOtherShapes) {
  const Rope rope{.head_dim = 4, .inverse_frequencies = {0.5f}, .attention_factor = 1.0f, .dynamic = {}};
  expect_internal([&] { ops::rope(Tensor::zeros({1, 6}), batch_of(0, 1), rope); }, "rope: x is [1, 6]");
  expect_internal([&] { ops::rope(Tensor::zeros({2, 4}), batch_of(0, 1), rope); }, "rope: 1 positions");
  Batch outside = batch_of(0, 1);
  outside.segments[0].end = 2;
  expect_internal([&] { ops::rope(Tensor::zeros({1, 4}), outside, rope); }, "rope: a segment");
}

}  // namespace
}  // namespace hearth
