// What a stage minimises: from a batch of examples to a loss on the tape, and what is logged of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"
#include "finetune/trainer/collator.h"
#include "runtime/language_model.h"

namespace hearth {

// What a batch's loss is a share of.
struct LossShare {
  int64_t targets = 1;  // of all batches of the step
  int64_t batches = 1;
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
  // `metrics` has a place for each name; the batch's means are added to it.
  virtual BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<double> metrics) const = 0;
  // One line on what the loss is measured against; empty: nothing to say.
  virtual std::string description() const { return {}; }
};

// `model` outlives it. Throws kInvalidArgument where the stage's reference would be trained too.
std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const LanguageModel& model);

}  // namespace hearth
