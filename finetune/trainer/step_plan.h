// Which examples the steps of a run see: epochs of batches, batches of accumulated ones, as transformers' Trainer
// counts them. A step is one update of the parameters; everything about it follows from its number, so a resumed run
// needs no state but that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"

namespace hearth {

class StepPlan {
 public:
  // `lengths`: tokens of each example, at least one.
  StepPlan(const TrainingSpec& training, std::vector<int> lengths);

  int64_t steps() const { return steps_; }  // of the whole run
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t num_epochs() const;  // begun ones
  // Of the moment after `step` steps.
  double epoch_after(int64_t step) const;
  bool ends_epoch(int64_t step) const { return step % steps_per_epoch_ == 0; }  // `step` counts from 1
  // Indices of the examples of step `step` (from 0), batch by batch; the last batches of an epoch may be fewer or
  // smaller.
  std::vector<std::vector<int>> batches(int64_t step);

 private:
  const std::vector<int>& order_of(int64_t epoch);

  int batch_size_, accumulation_;
  bool shuffles_, by_length_;
  int64_t seed_;
  std::vector<int> lengths_;
  int64_t batches_per_epoch_, steps_per_epoch_, steps_;
  int64_t ordered_epoch_ = -1;
  std::vector<int> order_;
};

// logging_steps, save_steps, eval_steps: below 1 a share of all steps, rounded up.
int64_t interval_steps(double value, int64_t total_steps);

}  // namespace hearth
