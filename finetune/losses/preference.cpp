#include "finetune/losses/preference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "finetune/losses/pair_loss.h"
#include "finetune/spec/spec_fields.h"

namespace hearth {
namespace {

double mean(double sum, const AnswerLogprobs& answer) { return sum / static_cast<double>(answer.tokens); }

// Which losses take means over an answer's tokens for its sums.
bool takes_means(PreferenceLoss loss) {
  return loss == PreferenceLoss::kIpo || loss == PreferenceLoss::kSigmoidNorm || loss == PreferenceLoss::kOrpo ||
         loss == PreferenceLoss::kSimpo;
}

// A batch on its way through the losses of a job.
class PreferenceBatch {
 public:
  PreferenceBatch(const PreferenceSpec& preference, std::span<const PairLogprobs> pairs)
      : p_(preference), pairs_(pairs), n_(static_cast<double>(pairs.size())) {
    out_.pairs.resize(pairs.size());
  }

  // The loss, which is added times `weight`.
  double add(PreferenceLoss loss, double weight) {
    const double before = out_.loss;
    switch (loss) {
      case PreferenceLoss::kAot:
        add_sorted(weight);
        break;
      case PreferenceLoss::kAotUnpaired:
        add_sorted_unpaired(weight);
        break;
      case PreferenceLoss::kKtoPair:
        add_kto_pair(weight);
        break;
      case PreferenceLoss::kSft:
        add_sft(weight);
        break;
      default:
        for (size_t i = 0; i < pairs_.size(); ++i) add_pair(loss, i, weight * confidence(pairs_[i]) / n_);
    }
    return weight == 0 ? 0 : (out_.loss - before) / weight;
  }

  // What there is becomes its weighted mean with bco.
  void mix_in_bco(double baseline) {
    const double share = p_.bco_weight / (1 + p_.bco_weight);
    out_.loss *= 1 - share;
    for (PairOutcome& pair : out_.pairs) {
      for (AnswerOutcome* answer : {&pair.chosen, &pair.rejected}) {
        answer->slope *= 1 - share;
        answer->whole_slope *= 1 - share;
      }
    }
    for (size_t i = 0; i < pairs_.size(); ++i)
      take(i, share / n_, bco_pair(p_.beta, ratio(pairs_[i].chosen), ratio(pairs_[i].rejected), baseline));
  }

  // Source: LLaMA-Factory's pref_ftx, a mean of means over tokens.
  void add_ftx() {
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const AnswerLogprobs& chosen = pairs_[i].chosen;
      out_.loss -= p_.ftx * mean(chosen.policy, chosen) / n_;
      out_.pairs[i].chosen.slope -= mean(p_.ftx, chosen) / n_;
    }
  }

  double ratio(const AnswerLogprobs& answer) const {
    return answer.policy - (p_.has_reference() ? answer.reference : 0);
  }

  PreferenceOutcome& outcome() { return out_; }

 private:
  // Of WPO (arXiv 2406.11827), without a gradient.
  double confidence(const PairLogprobs& pair) const {
    return p_.use_weighting ? std::exp(pair.chosen.mean_confidence + pair.rejected.mean_confidence) : 1;
  }

  void take(size_t pair, double weight, const PairValue& value) {
    out_.loss += weight * value.loss;
    out_.pairs[pair].chosen.slope += weight * value.dchosen;
    out_.pairs[pair].rejected.slope += weight * value.drejected;
  }

  void add_pair(PreferenceLoss loss, size_t i, double weight) {
    const auto score = [&](const AnswerLogprobs& answer) {
      Score found = is_of_scores(loss) ? divergence_score(p_, ratio(answer)) : Score{ratio(answer), 1};
      if (takes_means(loss)) found = {mean(found.value, answer), mean(found.slope, answer)};
      return found;
    };
    const Score chosen = score(pairs_[i].chosen), rejected = score(pairs_[i].rejected);
    PairValue value = pair_loss(loss, p_, chosen.value, rejected.value);
    value.dchosen *= chosen.slope;
    value.drejected *= rejected.slope;
    take(i, weight, value);
  }

  // The pairs in the order of their keys.
  template <class Key>
  std::vector<size_t> sorted(const Key& key) const {
    std::vector<size_t> order(pairs_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(pairs_[a]) < key(pairs_[b]); });
    return order;
  }

  // arXiv 2406.05882: the distribution of the policy's differences against that of the reference's.
  void add_sorted(double weight) {
    const auto policy = [](const PairLogprobs& pair) { return pair.chosen.policy - pair.rejected.policy; };
    const auto reference = [](const PairLogprobs& pair) { return pair.chosen.reference - pair.rejected.reference; };
    const std::vector<size_t> by_policy = sorted(policy), by_reference = sorted(reference);
    for (size_t k = 0; k < pairs_.size(); ++k)
      take(by_policy[k], weight / n_,
           smoothed_sigmoid(p_.beta, policy(pairs_[by_policy[k]]) - reference(pairs_[by_reference[k]]),
                            p_.label_smoothing));
  }

  // ... of the chosen answers' ratios against that of the rejected ones'.
  void add_sorted_unpaired(double weight) {
    const auto chosen = [&](const PairLogprobs& pair) { return ratio(pair.chosen); };
    const auto rejected = [&](const PairLogprobs& pair) { return ratio(pair.rejected); };
    const std::vector<size_t> by_chosen = sorted(chosen), by_rejected = sorted(rejected);
    for (size_t k = 0; k < pairs_.size(); ++k) {
      const PairValue value = smoothed_sigmoid(p_.beta, chosen(pairs_[by_chosen[k]]) - rejected(pairs_[by_rejected[k]]),
                                               p_.label_smoothing);
      take(by_chosen[k], weight / n_, {value.loss, value.dchosen, 0});
      take(by_rejected[k], weight / n_, {0, 0, value.drejected});
    }
  }

  // arXiv 2402.01306: each half's divergence from the reference is the other half's point of reference.
  void add_kto_pair(double weight) {
    double chosen = 0, rejected = 0;
    for (const PairLogprobs& pair : pairs_) {
      chosen += ratio(pair.chosen) / n_;
      rejected += ratio(pair.rejected) / n_;
    }
    const double chosen_kl = std::fmax(chosen, 0), rejected_kl = std::fmax(rejected, 0), share = weight / (2 * n_);
    double dchosen_kl = 0, drejected_kl = 0;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const double x = p_.beta * (ratio(pairs_[i].chosen) - rejected_kl);
      const double y = p_.beta * (chosen_kl - ratio(pairs_[i].rejected));
      const double dx = -p_.beta * sigmoid(x) * sigmoid(-x), dy = -p_.beta * sigmoid(y) * sigmoid(-y);
      take(i, share, {sigmoid(-x) + sigmoid(-y), dx, -dy});
      drejected_kl -= dx;
      dchosen_kl += dy;
    }
    for (size_t i = 0; i < pairs_.size(); ++i)
      take(i, share / n_, {0, chosen > 0 ? dchosen_kl : 0, rejected > 0 ? drejected_kl : 0});
  }

  // The mean over all tokens of the chosen answers.
  void add_sft(double weight) {
    double sum = 0, confidences = 0;
    int64_t tokens = 0;
    for (const PairLogprobs& pair : pairs_) {
      sum += pair.chosen.whole;
      tokens += pair.chosen.tokens;
      confidences += confidence(pair) / n_;
    }
    const double share = weight * confidences / static_cast<double>(tokens);
    out_.loss -= share * sum;
    for (PairOutcome& pair : out_.pairs) pair.chosen.whole_slope -= share;
  }

  const PreferenceSpec& p_;
  std::span<const PairLogprobs> pairs_;
  double n_;
  PreferenceOutcome out_;
};

double reward(const PreferenceSpec& p, const AnswerLogprobs& answer) {
  return p.beta * (p.has_reference() ? answer.policy - answer.reference : mean(answer.policy, answer));
}

void report(const PreferenceSpec& p, const AnswerLogprobs& answer, AnswerOutcome& out) {
  out.reward = reward(p, answer);
  out.logps = p.has_reference() ? answer.policy : mean(answer.policy, answer);
}

}  // namespace

std::vector<std::string> loss_part_names(const PreferenceSpec& p) {
  if (p.has(PreferenceLoss::kOrpo)) return {"sft_loss", "odds_ratio_loss"};
  std::vector<std::string> names;
  for (const PreferenceLoss loss : p.losses)
    if (p.losses.size() > 1) names.push_back(fmt::format("loss/{}", name_of(loss)));
  return names;
}

PreferenceOutcome preference_loss(const PreferenceSpec& p, std::span<const PairLogprobs> pairs, double baseline) {
  PreferenceBatch batch(p, pairs);
  PreferenceOutcome& out = batch.outcome();
  for (size_t k = 0; k < p.losses.size(); ++k) {
    const double value = batch.add(p.losses[k], p.loss_weights.empty() ? 1 : p.loss_weights[k]);
    if (p.losses.size() > 1) out.parts.push_back(value);
  }
  if (p.bco_weight > 0) batch.mix_in_bco(baseline);
  if (p.ftx > 0) batch.add_ftx();
  if (p.has(PreferenceLoss::kOrpo)) {  // pref_ftx is in the second part, as in the reference
    double sft_loss = 0;
    for (const PairLogprobs& pair : pairs)
      sft_loss -= mean(pair.chosen.policy, pair.chosen) / static_cast<double>(pairs.size());
    out.parts = {sft_loss, (out.loss - sft_loss) / p.beta};
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    report(p, pairs[i].chosen, out.pairs[i].chosen);
    report(p, pairs[i].rejected, out.pairs[i].rejected);
  }
  return std::move(out);
}

double mean_reward(const PreferenceSpec& p, std::span<const PairLogprobs> pairs) {
  double sum = 0;
  for (const PairLogprobs& pair : pairs) sum += reward(p, pair.chosen) + reward(p, pair.rejected);
  return sum / static_cast<double>(2 * pairs.size());
}

}  // namespace hearth
