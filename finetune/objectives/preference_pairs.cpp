// Segments are chosen and rejected answers in turn. The loss is a function of few numbers, so its derivatives by the
// log-probabilities are all that the sweep needs to know of it.
#include <algorithm>

#include "finetune/losses/preference.h"
#include "finetune/objectives/answers.h"
#include "finetune/objectives/objective_kinds.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

class PreferencePairs : public Objective {
 public:
  PreferencePairs(const LanguageModel& model, const PreferenceSpec& preference, std::unique_ptr<Reference> reference)
      : model_(model), preference_(preference), reference_(std::move(reference)) {}

  std::vector<std::string> metric_names() const override {
    std::vector<std::string> names = {"rewards/chosen", "rewards/rejected",   "rewards/accuracies", "rewards/margins",
                                      "logps/chosen",   "logps/rejected",     "logits/chosen",      "logits/rejected",
                                      "entropy",        "mean_token_accuracy"};
    for (std::string& name : loss_part_names(preference_)) names.push_back(std::move(name));
    return names;
  }

  TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) const override {
    return collate_answers(examples, adapter, model_.dims().fixed_rope_length);
  }
  int64_t rows(const TokenizedExample& example) const override {
    return rows_of_answers(example, model_.dims().fixed_rope_length);
  }
  int64_t most_rows(int cutoff_len) const override { return int64_t{2} * cutoff_len; }

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum> metrics) override {
    const std::vector<double> reference = reference_ ? reference_->sums(batch.examples) : std::vector<double>();
    BatchLoss out{.hidden = model_.forward(batch.batch)};
    std::vector<ops::TokenFacts> facts(batch.targets.size());
    const Tensor logprobs = ops::token_logprobs(out.hidden, model_.output_head(), batch.targets, facts);
    const std::vector<AnswerRows> answers = answer_rows(batch);
    HEARTH_CHECK(answers.size() == 2 * batch.examples.size());
    std::vector<PairLogprobs> pairs(answers.size() / 2);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const AnswerRows &chosen = answers[2 * i], &rejected = answers[2 * i + 1];
      const size_t shorter = std::min(chosen.size(), rejected.size());
      pairs[i] = {logprobs_of(chosen, shorter, logprobs, facts), logprobs_of(rejected, shorter, logprobs, facts)};
      if (reference.empty()) continue;
      pairs[i].chosen.reference = reference[2 * i];
      pairs[i].rejected.reference = reference[2 * i + 1];
    }
    move_baseline(pairs);
    const PreferenceOutcome outcome = preference_loss(preference_, pairs, baseline_);
    const double weight = 1 / static_cast<double>(share.batches);
    out.value = weight * outcome.loss;
    report(outcome, answers, facts, share.weight, metrics);
    if (!Tape::recording()) return out;
    Tensor slopes = Tensor::zeros(logprobs.shape());
    for (size_t i = 0; i < pairs.size(); ++i) {
      const AnswerRows &chosen = answers[2 * i], &rejected = answers[2 * i + 1];
      const size_t shorter = std::min(chosen.size(), rejected.size());
      fill(chosen, shorter, outcome.pairs[i].chosen, weight, slopes);
      fill(rejected, shorter, outcome.pairs[i].rejected, weight, slopes);
    }
    out.differentiable = ops::sum(ops::multiply(logprobs, slopes));
    return out;
  }

  std::vector<double> state() const override { return {baseline_, baseline_batches_}; }
  void restore(std::span<const double> state) override {
    if (state.size() != 2) return;
    baseline_ = state[0];
    baseline_batches_ = state[1];
  }

  std::string description() const override {
    return reference_ ? reference_->description() : "no reference: the loss compares the answers alone";
  }

 private:
  double beyond() const { return preference_.ld_alpha.value_or(1); }

  AnswerLogprobs logprobs_of(const AnswerRows& rows, size_t shorter, const Tensor& logprobs,
                             std::span<const ops::TokenFacts> facts) const {
    AnswerLogprobs out{.tokens = std::max<int64_t>(static_cast<int64_t>(rows.size()), 1)};
    for (size_t t = 0; t < rows.size(); ++t) {
      const double logprob = logprobs.data()[rows[t]];
      out.policy += t < shorter ? logprob : beyond() * logprob;
      out.whole += logprob;
      out.mean_confidence += (logprob - facts[rows[t]].log_sum_squares) / static_cast<double>(out.tokens);
    }
    return out;
  }

  void fill(const AnswerRows& rows, size_t shorter, const AnswerOutcome& outcome, double weight, Tensor& slopes) const {
    for (size_t t = 0; t < rows.size(); ++t) {
      const double slope = (t < shorter ? 1 : beyond()) * outcome.slope + outcome.whole_slope;
      slopes.data()[rows[t]] = static_cast<float>(weight * slope);
    }
  }

  // Source: LLaMA-Factory's bco_loss; the batch itself counts. An evaluation does not move it.
  void move_baseline(std::span<const PairLogprobs> pairs) {
    if (preference_.bco_weight == 0 || !Tape::recording()) return;
    baseline_ += (mean_reward(preference_, pairs) - baseline_) / ++baseline_batches_;
  }

  // By metric_names.
  void report(const PreferenceOutcome& outcome, std::span<const AnswerRows> answers,
              std::span<const ops::TokenFacts> facts, double weight, std::span<MetricSum> metrics) const {
    std::vector<double> values(8);
    for (const PairOutcome& pair : outcome.pairs) {
      const double of_pair[] = {pair.chosen.reward,
                                pair.rejected.reward,
                                pair.chosen.reward > pair.rejected.reward ? 1.0 : 0.0,
                                pair.chosen.reward - pair.rejected.reward,
                                pair.chosen.logps,
                                pair.rejected.logps};
      for (size_t m = 0; m < std::size(of_pair); ++m)
        values[m] += of_pair[m] / static_cast<double>(outcome.pairs.size());
    }
    std::vector<AnswerRows> chosen, rejected;
    for (size_t i = 0; i < answers.size(); ++i) (i % 2 == 0 ? chosen : rejected).push_back(answers[i]);
    const TokenMeans of_chosen = token_means(chosen, facts), of_rejected = token_means(rejected, facts);
    values[6] = of_chosen.mean_logit;
    values[7] = of_rejected.mean_logit;
    values.push_back(token_means(answers, facts).entropy);
    values.push_back(of_chosen.accuracy);
    values.insert(values.end(), outcome.parts.begin(), outcome.parts.end());
    HEARTH_CHECK(metrics.size() == values.size());
    for (size_t m = 0; m < values.size(); ++m) metrics[m].add(values[m], weight);
  }

  const LanguageModel& model_;
  PreferenceSpec preference_;
  std::unique_ptr<Reference> reference_;
  double baseline_ = 0, baseline_batches_ = 0;  // of pref_bco_weight: the mean of so many batches' mean rewards
};

}  // namespace

std::unique_ptr<Objective> make_preference_pairs(const LanguageModel& model, const PreferenceSpec& preference,
                                                 std::unique_ptr<Reference> reference) {
  return std::make_unique<PreferencePairs>(model, preference, std::move(reference));
}

}  // namespace hearth
