#include "finetune/trainer/objective.h"

#include <algorithm>
#include <numeric>

#include "finetune/losses/preference.h"
#include "finetune/losses/sft.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

// Every label's -log p, as transformers and LLaMA-Factory have it of stages sft and pt.
class NextTokens : public Objective {
 public:
  NextTokens(const LanguageModel& model, float label_smoothing) : model_(model), label_smoothing_(label_smoothing) {}

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<double>) const override {
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

// Of each segment: the sum of its targets' log-probabilities, and their number.
struct SegmentSum {
  double sum = 0;
  int64_t tokens = 0;
};
std::vector<SegmentSum> segment_sums(const Tensor& logprobs, const TrainingBatch& batch) {
  std::vector<SegmentSum> sums;
  for (const Segment& segment : batch.batch.segments) {
    SegmentSum& sum = sums.emplace_back();
    for (int r = segment.begin; r < segment.end; ++r) {
      if (batch.targets[r] < 0) continue;
      sum.sum += logprobs.data()[r];
      ++sum.tokens;
    }
  }
  return sums;
}

// The same batch under no adapter.
Batch without_adapter(Batch batch) {
  for (Segment& segment : batch.segments) segment.adapter = nullptr;
  return batch;
}

// Segments are chosen and rejected answers in turn.
class Pairs : public Objective {
 public:
  Pairs(const LanguageModel& model, const PreferenceSpec& preference, std::string reference)
      : model_(model), preference_(preference), reference_(std::move(reference)) {}

  std::vector<std::string> metric_names() const override {
    return {"rewards/chosen",  "rewards/rejected", "rewards/accuracies",
            "rewards/margins", "logps/chosen",     "logps/rejected"};
  }

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<double> metrics) const override {
    const std::vector<SegmentSum> reference = reference_sums(batch);
    const Tensor hidden = model_.forward(batch.batch);
    const Tensor logprobs = ops::token_logprobs(hidden, model_.output_head(), batch.targets);
    const std::vector<SegmentSum> policy = segment_sums(logprobs, batch);
    HEARTH_CHECK(policy.size() % 2 == 0);
    const size_t num_pairs = policy.size() / 2;
    const auto pairs = static_cast<double>(num_pairs);
    const double weight = 1 / (pairs * static_cast<double>(share.batches));
    // The loss's derivatives by each log-probability: all that the sweep needs to know of it.
    Tensor slopes = Tensor::zeros(logprobs.shape());
    BatchLoss out{.hidden = hidden};
    for (size_t i = 0; i < policy.size(); i += 2) {
      const auto answer = [&](size_t at) {
        return AnswerLogprobs{.policy = policy[at].sum,
                              .reference = reference.empty() ? 0 : reference[at].sum,
                              .tokens = std::max<int64_t>(policy[at].tokens, 1)};
      };
      const PairLoss pair = preference_loss(preference_, answer(i), answer(i + 1));
      out.value += weight * pair.loss;
      const auto fill = [&](const Segment& segment, double slope) {
        std::fill(slopes.data() + segment.begin, slopes.data() + segment.end, static_cast<float>(weight * slope));
      };
      fill(batch.batch.segments[i], pair.dchosen);
      fill(batch.batch.segments[i + 1], pair.drejected);
      const double values[] = {pair.chosen_reward,
                               pair.rejected_reward,
                               pair.chosen_reward > pair.rejected_reward ? 1.0 : 0.0,
                               pair.chosen_reward - pair.rejected_reward,
                               pair.chosen_logps,
                               pair.rejected_logps};
      for (size_t m = 0; m < metrics.size(); ++m) metrics[m] += values[m] / pairs;
    }
    if (Tape::recording()) out.differentiable = ops::sum(ops::multiply(logprobs, slopes));
    return out;
  }

  std::string description() const override { return reference_; }

 private:
  // Empty where the loss has no reference.
  std::vector<SegmentSum> reference_sums(const TrainingBatch& batch) const {
    if (!preference_.has_reference()) return {};
    const Tape::Paused no_gradients;
    const Tensor hidden = model_.forward(without_adapter(batch.batch));
    return segment_sums(ops::token_logprobs(hidden, model_.output_head(), batch.targets), batch);
  }

  const LanguageModel& model_;
  PreferenceSpec preference_;
  std::string reference_;
};

std::string reference_of(const TrainSpec& spec) {
  if (!spec.preference.has_reference()) return "no reference: the loss compares the answers alone";
  if (spec.adapter_name_or_path.empty()) return fmt::format("the reference is {}", spec.model_name_or_path);
  const std::string names = fmt::format("{}", fmt::join(spec.adapter_name_or_path, " and "));
  if (spec.lora.create_new_adapter)
    return fmt::format("the reference is {} with {}, on which a new adapter is trained", spec.model_name_or_path,
                       names);
  return fmt::format(
      "the reference is {} without {}, on which training goes on (create_new_adapter: true makes it the reference)",
      spec.model_name_or_path, names);
}

}  // namespace

std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const LanguageModel& model) {
  if (spec.stage != Stage::kDpo) return std::make_unique<NextTokens>(model, spec.training.label_smoothing_factor);
  for (const auto& tensor : model.tensors()) {
    if (tensor->trained && spec.preference.has_reference())
      throw invalid_argument(
          "'{}' is trained in full, so the reference would change with it; pref_loss orpo and simpo have no reference",
          tensor->name);
  }
  return std::make_unique<Pairs>(model, spec.preference, reference_of(spec));
}

}  // namespace hearth
