#include "finetune/losses/kto.h"

#include <algorithm>

#include "finetune/losses/pair_loss.h"

namespace hearth {

KtoOutcome kto_loss(const PreferenceSpec& p, std::span<const FeedbackLogprobs> answers, double kl) {
  KtoOutcome out;
  const auto n = static_cast<double>(answers.size());
  const auto desirable = static_cast<double>(
      std::count_if(answers.begin(), answers.end(), [](const FeedbackLogprobs& answer) { return answer.desirable; }));
  for (const FeedbackLogprobs& answer : answers) {
    const double ratio = answer.policy - answer.reference, sign = answer.desirable ? 1 : -1;
    const double weight = answer.desirable ? p.kto_chosen_weight : p.kto_rejected_weight;
    const double x = sign * p.beta * (ratio - kl);
    out.loss += weight * sigmoid(-x) / n;
    double slope = -weight * sign * p.beta * sigmoid(x) * sigmoid(-x) / n;
    if (p.ftx > 0 && answer.desirable) {
      const double share = p.ftx * n / (desirable * desirable) / static_cast<double>(answer.tokens);
      out.loss -= share * answer.policy;
      slope -= share;
    }
    out.slopes.push_back(slope);
    out.rewards.push_back(p.beta * ratio);
  }
  return out;
}

}  // namespace hearth
