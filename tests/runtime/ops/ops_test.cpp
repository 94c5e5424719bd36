// What ops compute and refuse; gradients are in gradient_test.cpp.
#include "runtime/ops/ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_internal.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

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
  expect_internal([&] { ops::gated(a, Tensor(), Activation::kSilu); }, "gated: shapes");
  expect_internal([&] { ops::activate(Tensor(), Activation::kSilu); }, "activate: x is undefined");
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
  const Tensor each = ops::rms_norm(Tensor::from({1, 4}, {3, 4, 3, 4}), Tensor::from({2, 2}, {1, 2, 3, 4}), 0.0f);
  EXPECT_FLOAT_EQ(each.data()[1], 8 / rms);
  EXPECT_FLOAT_EQ(each.data()[3], 16 / rms);
  expect_internal([] { ops::rms_norm(Tensor::zeros({1, 2}), Tensor::zeros({3}), 0); }, "rms_norm: weight is [3]");
  expect_internal([] { ops::rms_norm(Tensor::zeros({1, 4}), Tensor::zeros({1, 2}), 0); }, "rms_norm: weight is [1, 2]");
  expect_internal([] { ops::rms_norm(Tensor::zeros({1, 4}), Tensor(), 0); }, "rms_norm: weight is []");
}

TEST(Ops, LayerNormSubtractsTheMeanAndDividesByTheDeviation) {
  const Tensor x = Tensor::from({1, 4}, {1, 3, 10, 14}), bias = Tensor::from({2}, {10, 20});
  const Tensor y = ops::layer_norm(x, Tensor::from({2}, {1, 2}), bias, 0.0f);
  EXPECT_FLOAT_EQ(y.data()[0], 9);
  EXPECT_FLOAT_EQ(y.data()[1], 22);
  EXPECT_FLOAT_EQ(y.data()[2], 9);
  const Tensor each = ops::layer_norm(x, Tensor::from({2, 2}, {1, 2, 3, 4}), {}, 0.0f);
  EXPECT_FLOAT_EQ(each.data()[1], 2);
  EXPECT_FLOAT_EQ(each.data()[3], 4);
  expect_internal([&] { ops::layer_norm(x, Tensor::zeros({3}), {}, 0); }, "layer_norm: weight is [3]");
  expect_internal([&] { ops::layer_norm(x, Tensor::zeros({4}), bias, 0); }, "layer_norm: bias is [2], must be");
}

TEST(Ops, ColumnsTakeTheSamePartOfEachGroup) {
  const Tensor x = Tensor::from({2, 6}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  const Tensor y = ops::columns(x, 2, 1, 2);
  EXPECT_EQ(y.shape(), (Shape{2, 4}));
  EXPECT_THAT(std::vector<float>(y.data(), y.data() + 8), ::testing::ElementsAre(1, 2, 4, 5, 11, 12, 14, 15));
  expect_internal([&] { ops::columns(x, 4, 0, 1); }, "columns: x is [2, 6], must be [tokens, 4 * n]");
  expect_internal([&] { ops::columns(x, 2, 2, 2); }, "columns: columns [2, 2 + 2) of 3");
  expect_internal([&] { ops::columns(x, 0, 0, 1); }, "columns: x");
}

TEST(Ops, JoinedColumnsAreEachGroupsOfBoth) {
  const Tensor a = Tensor::from({1, 4}, {0, 1, 2, 3}), b = Tensor::from({1, 2}, {7, 8});
  const Tensor y = ops::join_columns(a, b, 2), z = ops::join_shared_columns(a, b, 2);
  EXPECT_THAT(std::vector<float>(y.data(), y.data() + y.size()), ::testing::ElementsAre(0, 1, 7, 2, 3, 8));
  EXPECT_THAT(std::vector<float>(z.data(), z.data() + z.size()), ::testing::ElementsAre(0, 1, 7, 8, 2, 3, 7, 8));
  expect_internal([&] { ops::join_columns(a, b, 4); }, "join_columns: b is [1, 2], must be [tokens, 4 * n]");
  expect_internal([&] { ops::join_columns(a, b, 3); }, "join_columns: b is [1, 2]");
  expect_internal([&] { ops::join_shared_columns(a, Tensor::zeros({2, 2}), 2); }, "join_shared_columns: b is [2, 2]");
}

TEST(Ops, GatherRowsRefusesRowsThatAreNotThere) {
  const Tensor x = random_tensor({3, 5}, 1);
  const Tensor y = ops::gather_rows(x, std::vector<int>{2});
  EXPECT_EQ(y.data()[4], x.row(2)[4]);
  for (const int row : {-1, 3})
    expect_internal([&] { ops::gather_rows(x, std::vector<int>{row}); }, "gather_rows: row");
}

TEST(Ops, ReplacedRowsAreThoseOfTheValues) {
  const Tensor x = Tensor::from({3, 2}, {0, 1, 2, 3, 4, 5}), values = Tensor::from({2, 2}, {6, 7, 8, 9});
  const auto replaced = [&](const std::vector<int>& rows) { return ops::replace_rows(x, rows, values); };
  const Tensor y = replaced({2, 0});
  EXPECT_THAT(std::vector<float>(y.data(), y.data() + y.size()), ::testing::ElementsAre(8, 9, 2, 3, 6, 7));
  for (const int row : {-1, 3}) expect_internal([&] { replaced({0, row}); }, "replace_rows: row");
  expect_internal([&] { replaced({1, 1}); }, "replace_rows: row 1 is replaced twice");
  expect_internal([&] { replaced({1}); }, "replace_rows: values are [2, 2], must be [1, 2]");
}

TEST(Ops, JoinedRowsStandOneBehindTheOther) {
  const Tensor a = Tensor::from({2, 2}, {0, 1, 2, 3}), b = Tensor::from({1, 2}, {4, 5});
  const Tensor y = ops::join_rows(std::array{b, a, b});
  EXPECT_EQ(y.shape(), (Shape{4, 2}));
  EXPECT_THAT(std::vector<float>(y.data(), y.data() + y.size()), ::testing::ElementsAre(4, 5, 0, 1, 2, 3, 4, 5));
  expect_internal(
      [&] {
        ops::join_rows(std::array{a, random_tensor({1, 3}, 1)});
      },
      "join_rows: a part is [1, 3], must be [rows, 2]");
  expect_internal([&] { ops::join_rows({}); }, "join_rows: there are no parts");
}

TEST(Ops, TokenLogprobsIsTheLogOfTheSoftmax) {
  const Tensor hidden = random_tensor({3, 3}, 1);
  for (const float softcap : {0.0f, 2.0f}) {
    const OutputHead head{small_weight(), softcap};
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
}

TEST(Ops, LogitsAreCapped) {
  const Tensor hidden = random_tensor({3, 3}, 1);
  const Tensor plain = ops::logits(hidden, {small_weight()}), capped = ops::logits(hidden, {small_weight(), 2.5f});
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(capped.data()[i], 2.5 * std::tanh(plain.data()[i] / 2.5), 2e-6);
  expect_internal([&] { ops::logits(hidden, {small_weight(), -1.0f}); }, "logits: the head is undefined, or");
}

TEST(Ops, TokenLogprobsOfARowDoesNotDependOnTheOthers) {
  Random random(2);
  std::vector<float> values(5000 * 8);
  for (float& v : values) v = random.normal();
  const OutputHead head{Weight::from_values(5000, 8, values)};
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
  const OutputHead head{small_weight()};
  const std::vector<TokenId> target = {2};
  expect_internal([&] { ops::token_logprobs(Tensor::zeros({1, 3}), head, target); }, "token_logprobs: target 2");
  expect_internal([&] { ops::token_logprobs(Tensor::zeros({2, 3}), head, target); }, "token_logprobs: 1 targets");
  expect_internal(
      [&] {
        ops::token_logprobs(Tensor::zeros({1, 2}), head, target);
      },
      "token_logprobs: hidden is [1, 2]");
}

TEST(Ops, RewardsAreAProjectionOfWhatTheModelMultiplied) {
  ValueHead head{{"weight", Tensor::from({1, 3}, {1, -2, 3}), {}}, {"bias", Tensor::from({1}, {0.5f}), {}}, 0.5f};
  const Tensor y = ops::rewards(Tensor::from({2, 3}, {1, 1, 1, 0, 2, -1}), head);
  EXPECT_EQ(y.shape(), (Shape{2}));
  EXPECT_EQ(y.data()[0], 4.5f);
  EXPECT_EQ(y.data()[1], -13.5f);
  expect_internal(
      [&] {
        ops::rewards(Tensor::zeros({2, 4}), head);
      },
      "project_to_one: weight is [1, 3] and bias [1], must be [1, 4] and [1] for x [2, 4]");
  expect_internal([&] { ops::rewards(Tensor::zeros({3}), head); }, "project_to_one: x is [3], must be [rows, n]");
}

TEST(Ops, ARewardDoesNotDependOnTheOtherRows) {
  const Tensor hidden = random_tensor({37, 200}, 1), weight = random_tensor({1, 200}, 2), bias = random_tensor({1}, 3);
  const Tensor all = ops::project_to_one(hidden, weight, bias);
  for (int row = 0; row < 37; ++row) {
    const Tensor alone = ops::gather_rows(hidden, std::vector<int>{row});
    EXPECT_EQ(ops::project_to_one(alone, weight, bias).data()[0], all.data()[row]) << row;
  }
}

Rope rope_of(int head_dim, std::vector<float> inverse_frequencies) {
  Rope rope;
  rope.head_dim = head_dim;
  rope.inverse_frequencies = std::move(inverse_frequencies);
  return rope;
}

TEST(Rope, TurnsEachPairByPositionTimesFrequency) {
  Rope rope = rope_of(4, {0.5f});
  rope.attention_factor = 2.0f;
  Batch batch = batch_of(0, 1);
  batch.positions = {3};
  const Tensor y = ops::rope(Tensor::from({1, 4}, {1, 2, 5, 6}), batch, rope);
  EXPECT_FLOAT_EQ(y.data()[0], 2 * (std::cos(1.5f) - 2 * std::sin(1.5f)));
  EXPECT_FLOAT_EQ(y.data()[1], 2 * (std::sin(1.5f) + 2 * std::cos(1.5f)));
  EXPECT_EQ(y.data()[2], 5);  // dimensions past the rotary ones stay
  EXPECT_EQ(y.data()[3], 6);
}

// The same dimensions in another order: equal to the bit.
TEST(Rope, NeighboursTurnAsHalvesDo) {
  for (const int pairs : {1, 3, 8, 20, 32}) {
    const int head_dim = 2 * pairs + 6, heads = 2;
    Rope halves = rope_of(head_dim, {});
    for (int i = 0; i < pairs; ++i) halves.inverse_frequencies.push_back(std::pow(0.7f, static_cast<float>(i)));
    Rope neighbours = halves;
    neighbours.pairs = RopePairs::kNeighbours;
    const Tensor x = random_tensor({5, heads * head_dim}, 1);
    Tensor ordered(x.shape());
    const auto place = [&](int d) { return d >= 2 * pairs ? d : d % 2 * pairs + d / 2; };
    const auto reorder = [&](const Tensor& from, Tensor& to) {
      for (int64_t i = 0; i < 5 * heads; ++i)
        for (int d = 0; d < head_dim; ++d) to.data()[i * head_dim + place(d)] = from.data()[i * head_dim + d];
    };
    reorder(x, ordered);
    const Tensor y = ops::rope(x, batch_of(0, 5), neighbours), expected = ops::rope(ordered, batch_of(0, 5), halves);
    Tensor found(x.shape());
    reorder(y, found);
    EXPECT_THAT(std::vector<float>(found.data(), found.data() + found.size()),
                ::testing::ElementsAreArray(expected.data(), expected.size()))
        << pairs;
  }
}

TEST(Rope, FollowsTheBatchThatChanges) {
  const Rope rope = rope_of(2, {1.0f});
  Batch batch = batch_of(0, 1);
  for (const int position : {3, 4, 3, 5, 4}) {
    batch.positions = {position};
    EXPECT_FLOAT_EQ(ops::rope(Tensor::from({1, 2}, {1, 0}), batch, rope).data()[0],
                    std::cos(static_cast<float>(position)));
  }
}

// transformers' dynamic scaling: the base grows with the sequence once that is longer than the original context.
TEST(Rope, DynamicGoesByTheLengthOfTheSequence) {
  Rope rope = rope_of(4, {1.0f, 0.1f});
  rope.by_length = Rope::Dynamic{100.0f, 2.0f, 8};
  const Tensor x = Tensor::from({1, 4}, {0, 1, 0, 0});
  const auto second_cosine = [&](const Batch& batch) { return ops::rope(x, batch, rope).data()[1]; };
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

  Batch shared = batch_of(0, 20);  // 9 rows, and 11 after the first 5 of them
  shared.segments = {{.begin = 0, .end = 9}, {.begin = 9, .end = 20, .past = 5}};
  std::iota(shared.positions.begin() + 9, shared.positions.end(), 5);
  EXPECT_FLOAT_EQ(ops::rope(rows, shared, rope).row(4)[1], expected(4, 9));
  EXPECT_FLOAT_EQ(ops::rope(rows, shared, rope).row(9)[1], expected(5, 16));
}

// transformers' longrope: other frequencies once the sequence is longer than the original context.
TEST(Rope, LongGoesByTheLengthOfTheSequence) {
  Rope rope = rope_of(4, {1.0f, 0.1f});
  rope.by_length = Rope::Long{{0.5f, 0.01f}, 8};
  const Tensor x = Tensor::from({1, 4}, {0, 1, 0, 0});
  KvCache cache({1, 1, 8}, 1, KvFormat::kF32);
  const auto second_cosine = [&](int position, int prompt_length) {
    Batch batch = batch_of(0, 1, position);
    batch.cache = &cache;
    batch.segments[0].prompt_length = prompt_length;
    return ops::rope(x, batch, rope).data()[1];
  };
  EXPECT_FLOAT_EQ(second_cosine(7, 8), std::cos(0.7f));
  EXPECT_FLOAT_EQ(second_cosine(7, 9), std::cos(0.07f));
  EXPECT_FLOAT_EQ(second_cosine(8, 0), std::cos(0.08f));
}

TEST(Rope, RefusesOtherShapes) {
  Rope rope = rope_of(4, {0.5f});
  expect_internal([&] { ops::rope(Tensor::zeros({1, 6}), batch_of(0, 1), rope); }, "rope: x is [1, 6]");
  expect_internal([&] { ops::rope(Tensor::zeros({2, 4}), batch_of(0, 1), rope); }, "rope: 1 positions");
  Batch outside = batch_of(0, 1);
  outside.segments[0].end = 2;
  expect_internal([&] { ops::rope(Tensor::zeros({1, 4}), outside, rope); }, "rope: a segment");
  rope.by_length = Rope::Long{{0.5f, 0.1f}, 8};
  expect_internal([&] { ops::rope(Tensor::zeros({1, 4}), batch_of(0, 1), rope); }, "rope: 2 frequencies of long");
  rope = rope_of(8, {1, 1, 1, 1});
  for (const std::array<int, 3>& sections : {std::array{1, 2, 2}, {0, 0, 3}, {5, -1, 0}}) {
    rope.sections = sections;
    expect_internal([&] { ops::rope(Tensor::zeros({1, 8}), batch_of(0, 1), rope); }, "rope: sections of");
  }
  rope.sections = {1, 2, 1};
  Batch longer = batch_of(0, 1);
  longer.grid_positions = {{1, 2, 3}, {4, 5, 6}};
  expect_internal([&] { ops::rope(Tensor::zeros({1, 8}), longer, rope); }, "rope: 2 grid positions for 1 rows");
}

// Two rows of a head of 8, as tests/golden/make_grid_rope.py has them.
Tensor grid_rows() {
  Tensor x({2, 8});
  for (int i = 0; i < 16; ++i) x.data()[i] = static_cast<float>(i - 7) / 4;
  return x;
}

void expect_near(const Tensor& found, std::initializer_list<float> expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.data()[i], expected.begin()[i], 1e-6) << i;
}

// The numbers of the next two are transformers' of Qwen2-VL: python tests/golden/make_grid_rope.py
TEST(Rope, SectionsTurnByTimeRowAndColumn) {
  Rope rope = rope_of(8, {1.0f, std::pow(100.0f, -0.25f), 0.1f, std::pow(100.0f, -0.75f)});
  rope.sections = {1, 2, 1};
  Batch batch = batch_of(0, 2);
  batch.grid_positions = {{3, 4, 5}, {7, 2, 9}};
  expect_near(ops::rope(grid_rows(), batch, rope),
              {1.838327f, 0.02508414f, -1.053972f, -0.987526f, 0.4955344f, -1.58094f, -0.7170382f, -0.1574559f,
               -0.6327577f, -0.4834014f, 0.3873786f, 0.3982159f, 1.106624f, 1.505431f, 1.864118f, 2.200324f});
}

TEST(Rope, OfAVisionTowerTurnsByRowThenByColumn) {
  Rope rope = rope_of(8, {1.0f, 0.01f, 1.0f, 0.01f});
  rope.sections = {0, 2, 2};
  Batch batch = batch_of(0, 2);
  batch.grid_positions = {{0, 2, 5}, {0, 3, 1}};
  expect_near(ops::rope(grid_rows(), batch, rope),
              {1.41023f, -1.489701f, -0.5943089f, -0.9987503f, -1.27916f, -0.529898f, 1.12774f, -0.04997917f,
               -0.4238981f, 0.4547818f, -1.067348f, 0.9799503f, -1.202211f, 1.514323f, 1.576632f, 2.0099f});
}

TEST(Rope, SectionsOfTextTurnAsIfThereWereNone) {
  const Rope plain = rope_of(8, {1.0f, 0.3f, 0.1f, 0.03f});
  Rope rope = plain;
  rope.sections = {1, 2, 1};
  Batch batch = batch_of(0, 3, 5);
  const Tensor x = random_tensor({3, 16}, 1), expected = ops::rope(x, batch, plain);
  const auto values = [](const Tensor& t) { return std::vector<float>(t.data(), t.data() + t.size()); };
  EXPECT_EQ(values(ops::rope(x, batch, rope)), values(expected));
  batch.grid_positions = {{5, 5, 5}, {6, 6, 6}, {7, 7, 7}};
  EXPECT_EQ(values(ops::rope(x, batch, rope)), values(expected));
  batch.grid_positions[2][1] = 9;  // the grid counts among what a table is made from
  const std::vector<float> moved = values(ops::rope(x, batch, rope));
  EXPECT_NE(moved, values(expected));
  EXPECT_EQ(values(ops::rope(x, batch, plain)), values(expected));  // a plain rope does not go by the grid
  Rope other = rope;
  other.sections = {2, 1, 1};
  EXPECT_NE(values(ops::rope(x, batch, other)), moved);
}

// Over more than one block of the vocabulary, in every way that log-probabilities are made.
TEST(TokenLogprobs, FactsAreThoseOfTheDistribution) {
  constexpr int64_t kVocabulary = 2500;
  const Tensor hidden = random_tensor({4, 16}, 1, 2.0f), values = random_tensor({kVocabulary, 16}, 2);
  for (const float softcap : {0.0f, 3.0f}) {
    const auto tensor = std::make_shared<ModelTensor>();
    const OutputHead head{
        Weight::from_values(kVocabulary, 16, std::vector<float>(values.data(), values.data() + values.size())), softcap,
        tensor};
    const Tensor logits = ops::logits(hidden, head);
    std::vector<TokenId> targets = {7, -1, 2100, 0};
    targets[3] = static_cast<TokenId>(std::max_element(logits.row(3), logits.row(3) + kVocabulary) - logits.row(3));
    const auto expect_facts = [&](const char* how, bool recorded) {
      std::vector<ops::TokenFacts> facts(targets.size());
      Tape tape;
      const std::optional<Tape::Recording> on = recorded ? std::optional<Tape::Recording>(tape) : std::nullopt;
      Parameter leaf{"hidden", hidden, {}};
      (void)ops::token_logprobs(recorded ? Tape::leaf(leaf) : hidden, head, targets, facts);
      EXPECT_EQ(facts[1].entropy, 0) << how;
      for (const int r : {0, 2, 3}) {
        double sum = 0, entropy = 0, squares = 0, mean = 0;
        for (int64_t v = 0; v < kVocabulary; ++v) sum += std::exp(double{logits.row(r)[v]});
        for (int64_t v = 0; v < kVocabulary; ++v) {
          const double p = std::exp(double{logits.row(r)[v]}) / sum;
          entropy -= p * std::log(p);
          squares += p * p;
          mean += double{logits.row(r)[v]} / kVocabulary;
        }
        EXPECT_NEAR(facts[r].entropy, entropy, 2e-5) << how << r;
        EXPECT_NEAR(facts[r].log_sum_squares, std::log(squares), 2e-5) << how << r;
        EXPECT_NEAR(facts[r].mean_logit, mean, 1e-6) << how << r;
        EXPECT_EQ(facts[r].is_likeliest, r == 3) << how << r;
      }
    };
    expect_facts("frozen, recorded: row ", true);
    expect_facts("frozen: row ", false);
    tensor->trained = std::make_unique<Parameter>(Parameter{"head", values, {}});
    expect_facts("trained: row ", false);
  }
}

}  // namespace
}  // namespace hearth
