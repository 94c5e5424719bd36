#include "finetune/trainer/streamed_set.h"

#include <algorithm>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {

StreamedSet::StreamedSet(const TrainSpec& spec, const LoadedModel& loaded, std::unique_ptr<ExampleStream> stream)
    : spec_(spec), loaded_(loaded), stream_(std::move(stream)) {
  begin(0);
}

double StreamedSet::epoch_after(int64_t step) const {
  return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps(), 1));
}

int64_t StreamedSet::most_rows_of_batch(const Objective& objective) const {
  return spec_.training.per_device_train_batch_size * objective.most_rows(spec_.data.cutoff_len);
}

void StreamedSet::begin(int64_t epoch) {
  dropped_ = epoch == 0 ? DroppedRows{} : left_out();
  epoch_ = epoch;
  epoch_is_empty_ = true;
  ready_.clear();
  stream_->begin(epoch);
}

DroppedRows StreamedSet::left_out() const {
  DroppedRows all = dropped_;
  if (epoch_ > 0) return all;
  const DroppedRows& rows = stream_->dropped();
  all.count += rows.count;
  all.first.insert(all.first.begin(), rows.first.begin(), rows.first.end());
  return all;
}

bool StreamedSet::fill() {
  std::vector<Example> group;
  Example example;
  while (group.size() < kEncodingGroup && stream_->next(example)) group.push_back(std::move(example));
  if (group.empty()) return false;
  EncodedData encoded = encode_examples(loaded_, group, spec_.data, spec_.stage);
  if (epoch_ == 0)
    for (const DroppedExample& one : encoded.dropped) dropped_.add(one.place, one.reason);
  for (TokenizedExample& one : encoded.examples) ready_.push_back(std::move(one));
  return true;
}

// Batches up to the end of the epoch, of which the last may be smaller; then the next epoch begins.
std::vector<std::vector<TokenizedExample>> StreamedSet::take_step() {
  const auto batch_size = static_cast<size_t>(spec_.training.per_device_train_batch_size);
  std::vector<std::vector<TokenizedExample>> batches;
  while (batches.size() < static_cast<size_t>(spec_.training.gradient_accumulation_steps)) {
    while (ready_.size() < batch_size && fill()) {
    }
    if (ready_.empty()) {
      if (!batches.empty()) break;
      if (epoch_is_empty_)
        throw invalid_argument("no example is left to train on; `hearth preprocess` shows what was left out and why");
      begin(epoch_ + 1);
      continue;
    }
    epoch_is_empty_ = false;
    std::vector<TokenizedExample>& batch = batches.emplace_back();
    while (!ready_.empty() && batch.size() < batch_size) {
      batch.push_back(std::move(ready_.front()));
      ready_.pop_front();
    }
  }
  return batches;
}

std::vector<ExampleBatch> StreamedSet::batches(int64_t step) {
  if (step < next_step_) {
    begin(0);
    next_step_ = 0;
  }
  for (; next_step_ <= step; ++next_step_) current_ = take_step();
  std::vector<ExampleBatch> batches;
  for (const std::vector<TokenizedExample>& examples : current_) {
    ExampleBatch& batch = batches.emplace_back();
    for (const TokenizedExample& example : examples) batch.push_back(&example);
  }
  return batches;
}

}  // namespace hearth
