#include "finetune/trainer/step_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/trainer/training_set.h"

namespace hearth {
namespace {

using testing::ElementsAre;

TrainingSpec training(int batch_size, int accumulation, double epochs) {
  TrainingSpec spec;
  spec.per_device_train_batch_size = batch_size;
  spec.gradient_accumulation_steps = accumulation;
  spec.num_train_epochs = epochs;
  spec.disable_shuffling = true;
  return spec;
}

// As transformers' Trainer: the last batch may be smaller, the last step of an epoch may have fewer batches.
TEST(StepPlan, AnEpochEndsWithWhatIsLeft) {
  StepPlan plan(training(2, 2, 2), std::vector<int>(7, 10));
  EXPECT_EQ(plan.steps_per_epoch(), 2);
  EXPECT_EQ(plan.steps(), 4);
  EXPECT_THAT(plan.batches(0), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(plan.batches(1), ElementsAre(ElementsAre(4, 5), ElementsAre(6)));
  EXPECT_THAT(plan.batches(2), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_DOUBLE_EQ(plan.epoch_after(1), 0.5);
  EXPECT_DOUBLE_EQ(plan.epoch_after(2), 1);
  EXPECT_TRUE(plan.ends_epoch(2));
  EXPECT_FALSE(plan.ends_epoch(3));
}

TEST(StepPlan, ShareOfAnEpochIsRoundedUpToSteps) {
  EXPECT_EQ(StepPlan(training(2, 2, 0.1), std::vector<int>(7, 10)).steps(), 1);
  EXPECT_EQ(StepPlan(training(1, 1, 1.5), std::vector<int>(5, 10)).steps(), 8);
}

TEST(StepPlan, MaxStepsWins) {
  TrainingSpec spec = training(2, 1, 1);
  spec.max_steps = 9;
  const StepPlan plan(spec, std::vector<int>(4, 10));
  EXPECT_EQ(plan.steps(), 9);
  EXPECT_EQ(plan.num_epochs(), 5);
}

TEST(StepPlan, EveryEpochVisitsEveryExampleInAnOrderOfItsOwn) {
  TrainingSpec spec = training(4, 1, 2);
  spec.disable_shuffling = false;
  StepPlan plan(spec, std::vector<int>(20, 10));
  std::vector<int> epochs[2];
  for (int64_t step = 0; step < plan.steps(); ++step)
    for (const std::vector<int>& batch : plan.batches(step))
      epochs[step / plan.steps_per_epoch()].insert(epochs[step / plan.steps_per_epoch()].end(), batch.begin(),
                                                   batch.end());
  EXPECT_NE(epochs[0], epochs[1]);
  for (std::vector<int>& epoch : epochs) {
    std::sort(epoch.begin(), epoch.end());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(epoch[i], i);
  }
}

// An objective whose batches leave every example's first token out.
struct WithoutFirst : Objective {
  int64_t rows(const TokenizedExample& example) const override {
    return static_cast<int64_t>(example.input_ids.size()) - 1;
  }
  BatchLoss loss(const TrainingBatch&, const LossShare&, std::span<MetricSum>) override { return {}; }
};

TEST(StepPlan, LargestBatchIsOfTheExamplesWithMostRows) {
  std::vector<TokenizedExample> examples(4);
  for (const auto& [i, length] : {std::pair{0, 3}, {1, 9}, {2, 4}, {3, 7}}) examples[i].input_ids.resize(length);
  EXPECT_EQ(InMemorySet(training(2, 1, 1), examples).most_rows_of_batch(WithoutFirst()), 14);
  EXPECT_EQ(InMemorySet(training(8, 1, 1), examples).most_rows_of_batch(WithoutFirst()), 19);
}

TEST(StepPlan, IntervalsBelowOneAreShares) {
  EXPECT_EQ(interval_steps(0.1, 45), 5);
  EXPECT_EQ(interval_steps(10, 45), 10);
  EXPECT_EQ(interval_steps(0.001, 45), 1);
}

}  // namespace
}  // namespace hearth
