// An example is an answer that is desirable or not, and the answer to another prompt behind the same one, which says
// how far the policy has moved from the reference. The second one has no gradient.
#include <algorithm>

#include "finetune/losses/kto.h"
#include "finetune/objectives/answers.h"
#include "finetune/objectives/objective_kinds.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

class Feedback : public Objective {
 public:
  Feedback(const LanguageModel& model, PictureFeatures& pictures, const PreferenceSpec& preference,
           std::unique_ptr<Reference> reference)
      : model_(model), pictures_(pictures), preference_(preference), reference_(std::move(reference)) {}

  std::vector<std::string> metric_names() const override {
    return {"rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected",
            "logits/chosen",  "logits/rejected",  "kl",           "rewards/margins"};
  }

  TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) const override {
    return collate_part(examples, adapter, 0);
  }
  int64_t rows(const TokenizedExample& example) const override { return example.packed_lengths.at(0); }

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum> metrics) override {
    const std::vector<double> reference = reference_->sums(batch.examples);
    const double kl = divergence(batch, reference);
    BatchLoss out{.hidden = model_.forward(batch.batch)};
    std::vector<ops::TokenFacts> facts(batch.targets.size());
    const Tensor logprobs = ops::token_logprobs(out.hidden, model_.output_head(), batch.targets, facts);
    const std::vector<AnswerRows> rows = answer_rows(batch);
    HEARTH_CHECK(rows.size() == batch.examples.size() && metrics.size() == 8);
    std::vector<FeedbackLogprobs> answers(rows.size());
    for (size_t i = 0; i < rows.size(); ++i)
      answers[i] = {.policy = sum_over(rows[i], logprobs),
                    .reference = reference[2 * i],
                    .tokens = std::max<int64_t>(static_cast<int64_t>(rows[i].size()), 1),
                    .desirable = batch.examples[i]->desirable.value()};
    const KtoOutcome outcome = kto_loss(preference_, answers, kl);
    const double weight = 1 / static_cast<double>(share.batches);
    out.value = weight * outcome.loss;
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t rejected = answers[i].desirable ? 0 : 1;
      metrics[rejected].add(outcome.rewards[i], 1);
      metrics[2 + rejected].add(answers[i].policy, 1);
      metrics[4 + rejected].add(token_means({&rows[i], 1}, facts).mean_logit, 1);
    }
    metrics[6].add(kl, share.weight);
    if (!Tape::recording()) return out;
    Tensor slopes = Tensor::zeros(logprobs.shape());
    for (size_t i = 0; i < rows.size(); ++i)
      for (const int r : rows[i]) slopes.data()[r] = static_cast<float>(weight * outcome.slopes[i]);
    out.differentiable = ops::sum(ops::multiply(logprobs, slopes));
    return out;
  }

  void complete(std::span<std::optional<double>> means) const override {
    if (means[0] && means[1]) means[7] = *means[0] - *means[1];
  }

  std::string description() const override { return reference_->description(); }

 private:
  double divergence(const TrainingBatch& batch, std::span<const double> reference) {
    const Tape::Paused no_gradients;
    TrainingBatch others = collate_part(batch.examples, batch.batch.segments.front().adapter, 1);
    pictures_.see(others);
    const Tensor hidden = model_.forward(others.batch);
    const Tensor logprobs = ops::token_logprobs(hidden, model_.output_head(), others.targets);
    const std::vector<AnswerRows> rows = answer_rows(others);
    double sum = 0;
    for (size_t i = 0; i < rows.size(); ++i) sum += sum_over(rows[i], logprobs) - reference[2 * i + 1];
    return std::max(0.0, sum / static_cast<double>(rows.size()));
  }

  const LanguageModel& model_;
  PictureFeatures& pictures_;
  PreferenceSpec preference_;
  std::unique_ptr<Reference> reference_;
};

}  // namespace

std::unique_ptr<Objective> make_feedback(const LanguageModel& model, PictureFeatures& pictures,
                                         const PreferenceSpec& preference, std::unique_ptr<Reference> reference) {
  return std::make_unique<Feedback>(model, pictures, preference, std::move(reference));
}

}  // namespace hearth
