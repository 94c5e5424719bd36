// Examples that are read and tokenised while the run goes on, in memory bounded by a group of them and the stream's
// buffer. max_steps says where it ends; an epoch is as long as the stream.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "finetune/datasets/example_stream.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/trainer/training_set.h"

namespace hearth {

class StreamedSet : public TrainingSet {
 public:
  // `loaded` outlives it.
  StreamedSet(const TrainSpec& spec, const LoadedModel& loaded, std::unique_ptr<ExampleStream> stream);

  int64_t steps() const override { return spec_.training.max_steps; }
  int64_t num_epochs() const override { return 1; }
  double epoch_after(int64_t step) const override;
  bool ends_epoch(int64_t) const override { return false; }
  std::vector<ExampleBatch> batches(int64_t step) override;
  int64_t most_rows_of_batch(const Objective& objective) const override;
  DroppedRows left_out() const override;

 private:
  void begin(int64_t epoch);
  bool fill();  // false: the epoch has no more
  std::vector<std::vector<TokenizedExample>> take_step();

  const TrainSpec& spec_;
  const LoadedModel& loaded_;
  std::unique_ptr<ExampleStream> stream_;
  std::deque<TokenizedExample> ready_;
  std::vector<std::vector<TokenizedExample>> current_;
  int64_t next_step_ = 0, epoch_ = 0;
  DroppedRows dropped_;  // of epoch 0
  bool epoch_is_empty_ = true;
};

}  // namespace hearth
