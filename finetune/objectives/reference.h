// The model that preference losses compare with: the trained one without its adapter or with the one that training
// started from, or a model of its own. Its log-probabilities never change, so each example's are computed once and kept
// (reference_cache.h), unless `precompute_ref_log_probs: false`.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "finetune/objectives/picture_features.h"
#include "finetune/objectives/reference_cache.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"
#include "runtime/adapter.h"

namespace hearth {

class Reference {
 public:
  // `loaded` is the model that is trained, with the adapters that are merged into it, and `pictures` what it sees,
  // which outlives this. Throws as load_model and read_adapter do, and kInvalidArgument for a model of another
  // vocabulary.
  Reference(const TrainSpec& spec, const LoadedModel& loaded, PictureFeatures& pictures);

  // Of each example's two answers: the sum of its tokens' log-probabilities, one behind the other.
  std::vector<double> sums(std::span<const TokenizedExample* const> examples);
  // One line for the log: which model it is, and where its numbers are kept.
  std::string description() const;

 private:
  // Those of which an answer has no sum yet.
  std::vector<const TokenizedExample*> without_sums(std::span<const TokenizedExample* const> examples) const;
  std::vector<const TokenizedExample*> verified(std::span<const TokenizedExample* const> examples,
                                                std::vector<const TokenizedExample*> missing);
  std::vector<double> compute(std::span<const TokenizedExample* const> examples);

  std::shared_ptr<const LanguageModel> model_;
  std::shared_ptr<const Adapter> adapter_;  // null: none
  std::optional<PictureFeatures> own_pictures_;
  PictureFeatures* pictures_;
  std::string name_;
  std::optional<ReferenceCache> cache_;
  bool verified_ = false;
};

// "smollm2 with saves/sft": which model a job compares with; empty where it compares with none.
std::string reference_name(const TrainSpec& spec);

}  // namespace hearth
