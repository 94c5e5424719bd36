// What a run trains on, step by step: all of it in memory, or read as it goes (`streaming: true`). A step's batches
// follow from its number.
#pragma once

#include <cstdint>
#include <vector>

#include "finetune/datasets/example_stream.h"
#include "finetune/encoding/tokenized_example.h"
#include "finetune/objectives/objective.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/step_plan.h"

namespace hearth {

using ExampleBatch = std::vector<const TokenizedExample*>;

class TrainingSet {
 public:
  virtual ~TrainingSet() = default;
  virtual int64_t steps() const = 0;       // of the run
  virtual int64_t num_epochs() const = 0;  // begun ones
  virtual double epoch_after(int64_t step) const = 0;
  virtual bool ends_epoch(int64_t step) const = 0;  // `step` counts from 1
  // Of step `step` (from 0). The examples live until the next call. Steps are asked for in order; a first one that is
  // not 0 may take time.
  virtual std::vector<ExampleBatch> batches(int64_t step) = 0;
  // Of the largest batch that an epoch can have.
  virtual int64_t most_rows_of_batch(const Objective& objective) const = 0;
  // The example with the most pictures; null: none has any, or none is known yet.
  virtual const TokenizedExample* most_pictured() const { return nullptr; }
  // Rows and examples of a stream's first epoch, as far as it was read, that nothing could be learnt from.
  virtual DroppedRows left_out() const { return {}; }
};

class InMemorySet : public TrainingSet {
 public:
  InMemorySet(const TrainingSpec& training, std::vector<TokenizedExample> examples);

  int64_t steps() const override { return plan_.steps(); }
  int64_t num_epochs() const override { return plan_.num_epochs(); }
  double epoch_after(int64_t step) const override { return plan_.epoch_after(step); }
  bool ends_epoch(int64_t step) const override { return plan_.ends_epoch(step); }
  std::vector<ExampleBatch> batches(int64_t step) override;
  int64_t most_rows_of_batch(const Objective& objective) const override;
  const TokenizedExample* most_pictured() const override;

 private:
  size_t batch_size_;
  std::vector<TokenizedExample> examples_;
  StepPlan plan_;
};

}  // namespace hearth
