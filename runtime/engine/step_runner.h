// Runs a planned step: one forward pass over all its rows, then logits for the rows that need them, a few rows at a
// time, so that neither a long prompt's log-probabilities nor many sequences hold [rows, vocab_size] at once. Knows
// nothing of queues, streams and ends.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/engine/picture_store.h"
#include "runtime/engine/sampler.h"
#include "runtime/engine/scheduler.h"
#include "runtime/language_model.h"

namespace hearth {

// What a step found for one of its sequences.
struct StepResult {
  Sequence* sequence = nullptr;
  std::optional<TokenOutput> token;  // drawn, when the rows end the sequence, it wants more and more may come
  std::vector<TokenOutput> prompt;   // log-probabilities of the prompt tokens that follow its rows
  float reward = 0;                  // of the prompt, when the rows end it and its request has a value head
  std::string error;                 // not empty: this sequence alone failed
};

class StepRunner {
 public:
  StepRunner(std::shared_ptr<const LanguageModel> model, KvCache& cache, PictureStore& pictures);

  // One result for each of the plan's rows, in an order of its own. Throws what the model throws.
  std::vector<StepResult> run(const StepPlan& plan);

 private:
  // A row of the batch whose logits are wanted.
  struct LogitsRow {
    int row;
    StepResult* result;
    TokenOutput* output;
    TokenId target;  // a prompt token to score, or kDraw
  };
  static constexpr TokenId kDraw = -1;

  Batch make_batch(std::span<const PlannedRows> planned);
  EmbeddedRows embedded(std::span<const PlannedRows> planned);
  void want_logits(const PlannedRows& rows, int first_row, StepResult& result);
  void compute(const LogitsRow& row, std::span<const float> logits);

  std::shared_ptr<const LanguageModel> model_;
  KvCache& cache_;
  PictureStore& pictures_;
  std::vector<LogitsRow> wanted_;
  std::vector<Sampler> samplers_;  // one a thread
};

}  // namespace hearth
