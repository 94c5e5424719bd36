// Segments are chosen and rejected answers in turn. The loss is a function of few numbers, so its derivatives by the
// log-probabilities are all that the sweep needs to know of it.
#include <algorithm>

#include "finetune/losses/preference.h"
#include "finetune/objectives/answer_pairs.h"
#include "finetune/objectives/answers.h"
#include "finetune/objectives/objective_kinds.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

class PreferencePairs : public AnswerPairs {
 public:
  PreferencePairs(const LanguageModel& model, const PreferenceSpec& preference, std::unique_ptr<Reference> reference)
      : AnswerPairs(model), preference_(preference), reference_(std::move(reference)) {}

  std::vector<std::string> metric_names() const override {
    std::vector<std::string> names = {"rewards/chosen", "rewards/rejected",   "rewards/accuracies", "rewards/margins",
                                      "logps/chosen",   "logps/rejected",     "logits/chosen",      "logits/rejected",
                                      "entropy",        "mean_token_accuracy"};
    for (std::string& name : loss_part_names(preference_)) names.push_back(std::move(name));
    return names;
  }

  BatchLoss loss(const TrainingBatch& batch, const LossShare& share, std::span<MetricSum> metrics) override {
    const std::vector<double> reference = reference_ ? reference_->sums(batch.examples) : std::vector<double>();
    BatchLoss out{.hidden = model_.forward(batch.batch)};
    std::vector<ops::TokenFacts> facts(batch.targets.size());
    const Tensor logprobs = ops::token_logprobs(out.hidden, model_.output_head(), batch.targets, facts);
    const std::vector<AnswerRows> answers = answer_rows(batch);
    HEARTH_CHECK(answers.size() == 2 * batch.examples.size());
    std::vector<PairLogprobs> pairs(answers.size() / 2);
    for (size_t a = 0; a < answers.size(); ++a) {
      AnswerLogprobs& answer = a % 2 == 0 ? pairs[a / 2].chosen : pairs[a / 2].rejected;
      answer = logprobs_of(answers[a], tokens_in_both(answers, a), logprobs, facts);
      if (reference_) answer.reference = reference[a];
    }
    move_baseline(pairs);
    const PreferenceOutcome outcome = preference_loss(preference_, pairs, baseline_);
    const double weight = 1 / static_cast<double>(share.batches);
    out.value = weight * outcome.loss;
    report(outcome, answers, facts, share.weight, metrics);
    if (!Tape::recording()) return out;
    Tensor slopes = Tensor::zeros(logprobs.shape());
    for (size_t a = 0; a < answers.size(); ++a) {
      const PairOutcome& pair = outcome.pairs[a / 2];
      fill(answers[a], tokens_in_both(answers, a), a % 2 == 0 ? pair.chosen : pair.rejected, weight, slopes);
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
  // How many tokens answer `a` and the other one of its pair have both; ld_alpha weighs those beyond.
  static size_t tokens_in_both(std::span<const AnswerRows> answers, size_t a) {
    return std::min(answers[a].size(), answers[a ^ 1].size());
  }
  double beyond() const { return preference_.ld_alpha.value_or(1); }

  AnswerLogprobs logprobs_of(const AnswerRows& rows, size_t in_both, const Tensor& logprobs,
                             std::span<const ops::TokenFacts> facts) const {
    AnswerLogprobs out{.tokens = std::max<int64_t>(static_cast<int64_t>(rows.size()), 1)};
    for (size_t t = 0; t < rows.size(); ++t) {
      const double logprob = logprobs.data()[rows[t]];
      out.policy += t < in_both ? logprob : beyond() * logprob;
      out.whole += logprob;
      out.mean_confidence += (logprob - facts[rows[t]].log_sum_squares) / static_cast<double>(out.tokens);
    }
    return out;
  }

  void fill(const AnswerRows& rows, size_t in_both, const AnswerOutcome& outcome, double weight, Tensor& slopes) const {
    for (size_t t = 0; t < rows.size(); ++t) {
      const double slope = (t < in_both ? 1 : beyond()) * outcome.slope + outcome.whole_slope;
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
