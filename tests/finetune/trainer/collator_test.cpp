#include "finetune/trainer/collator.h"

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

TEST(Collator, TargetsAreCountedAfterTheShift) {
  EXPECT_EQ(count_targets({.input_ids = {1, 2, 3}, .labels = {1, kNone, 3}}), 1);
  EXPECT_EQ(count_targets({}), 0);
}

}  // namespace
}  // namespace hearth
