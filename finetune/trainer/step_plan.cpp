#include "finetune/trainer/step_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finetune/sampler.h"
#include "runtime/base/error.h"

namespace hearth {

StepPlan::StepPlan(const TrainingSpec& training, std::vector<int> lengths)
    : batch_size_(training.per_device_train_batch_size),
      accumulation_(training.gradient_accumulation_steps),
      shuffles_(!training.disable_shuffling),
      by_length_(training.group_by_length),
      seed_(training.data_seed.value_or(training.seed)),
      lengths_(std::move(lengths)) {
  const auto n = static_cast<int64_t>(lengths_.size());
  HEARTH_CHECK(n > 0 && batch_size_ > 0 && accumulation_ > 0);
  batches_per_epoch_ = (n + batch_size_ - 1) / batch_size_;
  steps_per_epoch_ = (batches_per_epoch_ + accumulation_ - 1) / accumulation_;
  steps_ = training.max_steps > 0
               ? training.max_steps
               : static_cast<int64_t>(std::ceil(training.num_train_epochs * static_cast<double>(steps_per_epoch_)));
}

int64_t StepPlan::num_epochs() const { return (steps_ + steps_per_epoch_ - 1) / steps_per_epoch_; }

double StepPlan::epoch_after(int64_t step) const {
  const int64_t epoch = step / steps_per_epoch_;
  const int64_t batches = std::min((step % steps_per_epoch_) * accumulation_, batches_per_epoch_);
  return static_cast<double>(epoch) + static_cast<double>(batches) / static_cast<double>(batches_per_epoch_);
}

const std::vector<int>& StepPlan::order_of(int64_t epoch) {
  if (epoch == ordered_epoch_) return order_;
  const int n = static_cast<int>(lengths_.size());
  if (by_length_) {
    order_ = length_grouped_order(lengths_, batch_size_ * accumulation_, seed_, epoch);
  } else if (shuffles_) {
    order_ = epoch_order(n, seed_, epoch);
  } else {
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), 0);
  }
  ordered_epoch_ = epoch;
  return order_;
}

std::vector<std::vector<int>> StepPlan::batches(int64_t step) {
  const std::vector<int>& order = order_of(step / steps_per_epoch_);
  const int64_t first = (step % steps_per_epoch_) * accumulation_;
  const int64_t last = std::min(first + accumulation_, batches_per_epoch_);
  std::vector<std::vector<int>> out;
  for (int64_t b = first; b < last; ++b) {
    const auto begin = order.begin() + b * batch_size_;
    out.emplace_back(begin, std::min(begin + batch_size_, order.end()));
  }
  return out;
}

int64_t interval_steps(double value, int64_t total_steps) {
  const double steps = value < 1 ? std::ceil(value * static_cast<double>(total_steps)) : value;
  return std::max<int64_t>(1, static_cast<int64_t>(steps));
}

}  // namespace hearth
