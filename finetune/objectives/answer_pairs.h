// What objectives of pairs share: a batch has the chosen and the rejected answer of each example in turn, and what both
// begin with once.
#pragma once

#include "finetune/objectives/objective.h"
#include "runtime/language_model.h"

namespace hearth {

class AnswerPairs : public Objective {
 public:
  explicit AnswerPairs(const LanguageModel& model) : model_(model) {}

  TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) const override {
    return collate_answers(examples, adapter, model_.dims().fixed_rope_length);
  }
  int64_t rows(const TokenizedExample& example) const override {
    return rows_of_answers(example, model_.dims().fixed_rope_length);
  }
  int64_t most_rows(int cutoff_len) const override { return int64_t{2} * cutoff_len; }

 protected:
  const LanguageModel& model_;
};

}  // namespace hearth
