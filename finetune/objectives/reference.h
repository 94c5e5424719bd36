// The model that preference losses compare with: the trained one without its adapter or with the one that training
// started from, or a model of its own. Its log-probabilities never change, so each example's are computed once and kept
// (reference_cache.h), unless `precompute_ref_log_probs: false`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

class Reference {
 public:
  virtual ~Reference() = default;
  // Of each example's two answers: the sum of its tokens' log-probabilities, one behind the other.
  virtual std::vector<double> sums(std::span<const TokenizedExample* const> examples) = 0;
  // One line for the log: which model it is, and where its numbers are kept.
  virtual std::string description() const = 0;
};

// `loaded` is the model that is trained, with the adapters that are merged into it; it outlives the reference. Throws
// as load_model and read_adapter do, and kInvalidArgument for a model of another vocabulary.
std::unique_ptr<Reference> make_reference(const TrainSpec& spec, const LoadedModel& loaded);

// "smollm2 with saves/sft": which model a job compares with; empty where it compares with none.
std::string reference_name(const TrainSpec& spec);

}  // namespace hearth
