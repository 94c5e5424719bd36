// Rewards of the last tokens of the chosen and the rejected answer: -log sigmoid(chosen - rejected). Source:
// LLaMA-Factory's train/rm/trainer.py.
#include "finetune/losses/pair_loss.h"
#include "finetune/objectives/answer_pairs.h"
#include "finetune/objectives/objective_kinds.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

class RewardPairs : public AnswerPairs {
 public:
  RewardPairs(const LanguageModel& model, ValueHead& head) : AnswerPairs(model), head_(head) {}

  std::vector<std::string> metric_names() const override {
    return {"accuracy", "rewards/chosen", "rewards/rejected", "rewards/margins"};
  }

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum> metrics) override {
    BatchLoss out{.hidden = model_.forward(batch.batch)};
    std::vector<int> last;
    last.reserve(batch.batch.segments.size());
    for (const Segment& segment : batch.batch.segments) last.push_back(segment.end - 1);
    HEARTH_CHECK(last.size() == 2 * batch.examples.size() && metrics.size() == 4);
    const Tensor found = ops::rewards(ops::gather_rows(out.hidden, last), head_);
    const auto pairs = static_cast<double>(batch.examples.size());
    const double weight = 1 / (pairs * static_cast<double>(share.batches));
    Tensor slopes(found.shape());
    for (size_t i = 0; i < last.size(); i += 2) {
      const double chosen = found.data()[i], rejected = found.data()[i + 1];
      const PairValue value = smoothed_sigmoid(1, chosen - rejected, 0);
      out.value += weight * value.loss;
      slopes.data()[i] = static_cast<float>(weight * value.dchosen);
      slopes.data()[i + 1] = static_cast<float>(weight * value.drejected);
      const double values[] = {chosen > rejected ? 1.0 : 0.0, chosen, rejected, chosen - rejected};
      for (size_t m = 0; m < metrics.size(); ++m) metrics[m].add(values[m], share.weight / pairs);
    }
    if (Tape::recording()) out.differentiable = ops::sum(ops::multiply(found, slopes));
    return out;
  }

 private:
  ValueHead& head_;
};

}  // namespace

std::unique_ptr<Objective> make_reward_pairs(const LanguageModel& model, ValueHead& head) {
  return std::make_unique<RewardPairs>(model, head);
}

}  // namespace hearth
