#include <numeric>

#include "finetune/losses/sft.h"
#include "finetune/objectives/objective_kinds.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

class NextTokens : public Objective {
 public:
  NextTokens(const LanguageModel& model, float label_smoothing) : model_(model), label_smoothing_(label_smoothing) {}

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum>) override {
    const Tensor hidden = model_.forward(batch.batch);
    if (!Tape::recording()) {  // an evaluation's loss is never smoothed
      const Tensor logprobs = ops::token_logprobs(hidden, model_.output_head(), batch.targets);
      const double sum = std::accumulate(logprobs.data(), logprobs.data() + logprobs.size(), 0.0);
      return {-sum / static_cast<double>(share.targets), {}, hidden};
    }
    const Tensor loss = sft_loss(hidden, model_.output_head(), batch.targets, share.targets, label_smoothing_);
    return {loss.data()[0], loss, hidden};
  }

 private:
  const LanguageModel& model_;
  float label_smoothing_;
};

}  // namespace

std::unique_ptr<Objective> make_next_tokens(const LanguageModel& model, float label_smoothing) {
  return std::make_unique<NextTokens>(model, label_smoothing);
}

}  // namespace hearth
