// What a stage minimises: from examples to a batch, from a batch to a loss on the tape, and what is logged of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/objectives/collator.h"
#include "finetune/objectives/picture_features.h"
#include "finetune/spec/train_spec.h"
#include "models/adapters/value_head.h"
#include "models/loader.h"

namespace hearth {

// What a batch's loss is a share of.
struct LossShare {
  int64_t targets = 1;  // of all batches of the step
  int64_t batches = 1;
  double weight = 1;  // of the batch's means among those of other batches
};

// What a metric's mean is made of.
struct MetricSum {
  double sum = 0, weight = 0;
  void add(double value, double with_weight) {
    sum += value * with_weight;
    weight += with_weight;
  }
  void operator+=(const MetricSum& other) {
    sum += other.sum;
    weight += other.weight;
  }
};

struct BatchLoss {
  double value = 0;
  // [1]: its gradient is that of the loss; undefined where the tape does not record.
  Tensor differentiable = {};
  Tensor hidden = {};  // [tokens, hidden_size]
};

class Objective {
 public:
  virtual ~Objective() = default;

  // Of pairs: "rewards/chosen", ...
  virtual std::vector<std::string> metric_names() const { return {}; }
  virtual TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) const {
    return hearth::collate(examples, adapter);
  }
  // Rows that collate() makes of an example.
  virtual int64_t rows(const TokenizedExample& example) const { return static_cast<int64_t>(example.input_ids.size()); }
  // ... of an example whose sequences have `cutoff_len` tokens at most.
  virtual int64_t most_rows(int cutoff_len) const { return cutoff_len; }
  // Of a batch that collate() made and whose pictures were seen, while its examples are still there. `metrics` has a
  // place for each name.
  virtual BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum> metrics) = 0;
  // What follows from the means of the metrics, of which some may be missing, is put in its place.
  virtual void complete(std::span<std::optional<double>>) const {}
  // What changes from batch to batch and is part of a checkpoint.
  virtual std::vector<double> state() const { return {}; }
  virtual void restore(std::span<const double>) {}
  // One line on what the loss is measured against; empty: nothing to say.
  virtual std::string description() const { return {}; }
};

// By metric_names; nothing where no batch had any.
std::vector<std::optional<double>> means_of(const Objective& objective, std::span<const MetricSum> sums);

// `loaded` and its pictures outlive it, and the value head of stage rm, else null. Throws as load_model and
// read_adapter where a reference is read.
std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const LoadedModel& loaded, PictureFeatures& pictures,
                                          ValueHead* head);

}  // namespace hearth
