#include "finetune/objectives/collator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth {
namespace {

using testing::ElementsAre;

constexpr TokenId kNone = kIgnoredLabel;

TEST(Collator, ExamplesLieSideBySideWithoutPadding) {
  const TokenizedExample a{.input_ids = {5, 6, 7}, .labels = {kNone, 6, 7}},
      b{.input_ids = {8, 9}, .labels = {kNone, 9}};
  const TokenizedExample* both[] = {&a, &b};
  const TrainingBatch found = collate(both, nullptr);
  EXPECT_THAT(found.batch.token_ids, ElementsAre(5, 6, 7, 8, 9));
  EXPECT_THAT(found.batch.positions, ElementsAre(0, 1, 2, 0, 1));
  EXPECT_THAT(found.targets, ElementsAre(6, 7, -1, 9, -1));
  EXPECT_EQ(found.num_targets, 3);
  ASSERT_EQ(found.batch.segments.size(), 2);
  EXPECT_EQ(found.batch.segments[1].begin, 3);
  EXPECT_EQ(found.batch.segments[1].end, 5);
}

TEST(Collator, PackedExamplesAreSegmentsOfTheirOwn) {
  TokenizedExample packed{.input_ids = {1, 2, 3, 4, 5}, .labels = {1, 2, 3, 4, 5}, .packed_lengths = {2, 3}};
  const TokenizedExample* one[] = {&packed};
  TrainingBatch found = collate(one, nullptr);
  EXPECT_THAT(found.batch.positions, ElementsAre(0, 1, 0, 1, 2));
  ASSERT_EQ(found.batch.segments.size(), 2);
  EXPECT_EQ(found.batch.segments[1].begin, 2);
  // As the reference shifts labels: over the whole row.
  EXPECT_THAT(found.targets, ElementsAre(2, 3, 4, 5, -1));

  packed.attends_across = true;
  found = collate(one, nullptr);
  EXPECT_THAT(found.batch.positions, ElementsAre(0, 1, 0, 1, 2));
  EXPECT_EQ(found.batch.segments.size(), 1);
}

// The prompt 1 2 3 and the answers 4 5 and 4 6: row 3 predicts a token of each answer, so it is there twice.
TEST(Collator, TheBeginningOfTwoAnswersIsThereOnce) {
  const TokenizedExample pair{.input_ids = {1, 2, 3, 4, 5, 1, 2, 3, 4, 6},
                              .labels = {kNone, kNone, kNone, 4, 5, kNone, kNone, kNone, 4, 6},
                              .packed_lengths = {5, 5}};
  const TokenizedExample* two[] = {&pair, &pair};
  const TrainingBatch found = collate_answers(two, nullptr, 5);
  EXPECT_THAT(found.batch.token_ids, ElementsAre(1, 2, 3, 4, 5, 3, 4, 6, 1, 2, 3, 4, 5, 3, 4, 6));
  EXPECT_THAT(found.batch.positions, ElementsAre(0, 1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 3, 4, 2, 3, 4));
  EXPECT_THAT(found.targets, ElementsAre(-1, -1, 4, 5, -1, 4, 6, -1, -1, -1, 4, 5, -1, 4, 6, -1));
  EXPECT_EQ(found.num_targets, 8);
  ASSERT_EQ(found.batch.segments.size(), 4);
  const Segment& rejected = found.batch.segments[3];
  EXPECT_EQ(rejected.begin, 13);
  EXPECT_EQ(rejected.end, 16);
  EXPECT_EQ(rejected.past, 2);
  EXPECT_EQ(rejected.past_begin, 8);
}

TEST(Collator, WhatGoesByTheLengthOfASequenceIsNotShared) {
  const TokenizedExample pair{
      .input_ids = {1, 2, 3, 1, 2, 4}, .labels = {kNone, kNone, 3, kNone, kNone, 4}, .packed_lengths = {3, 3}};
  const TokenizedExample* one[] = {&pair};
  EXPECT_EQ(collate_answers(one, nullptr, 3).batch.segments[1].past, 1);
  EXPECT_EQ(collate_answers(one, nullptr, 2).batch.segments[1].past, 0);
  EXPECT_EQ(collate_answers(one, nullptr, 2).batch.tokens(), 6);
}

// The second answer keeps a row of its own, even where it is the first one's beginning.
TEST(Collator, AnAnswerWithoutLabelsKeepsARow) {
  const TokenizedExample pair{
      .input_ids = {1, 2, 3, 1, 2}, .labels = {kNone, kNone, kNone, kNone, kNone}, .packed_lengths = {3, 2}};
  const TokenizedExample* one[] = {&pair};
  const TrainingBatch found = collate_answers(one, nullptr, 9);
  EXPECT_THAT(found.batch.token_ids, ElementsAre(1, 2, 3, 2));
}

TEST(Collator, APartAloneIsAnExample) {
  const TokenizedExample pair{
      .input_ids = {1, 2, 3, 1, 4}, .labels = {kNone, 2, 3, kNone, 4}, .packed_lengths = {3, 2}};
  const TokenizedExample* one[] = {&pair};
  const TrainingBatch found = collate_part(one, nullptr, 1);
  EXPECT_THAT(found.batch.token_ids, ElementsAre(1, 4));
  EXPECT_THAT(found.batch.positions, ElementsAre(0, 1));
  EXPECT_THAT(found.targets, ElementsAre(4, -1));
}

TEST(Collator, TargetsAreCountedAfterTheShift) {
  EXPECT_EQ(count_targets({.input_ids = {1, 2, 3}, .labels = {1, kNone, 3}}), 1);
  EXPECT_EQ(count_targets({}), 0);
}

}  // namespace
}  // namespace hearth
