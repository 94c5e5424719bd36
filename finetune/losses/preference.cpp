#include "finetune/losses/preference.h"

#include <cmath>

#include "runtime/base/error.h"

namespace hearth {
namespace {

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double log_sigmoid(double x) { return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x)); }

// A loss and its derivatives by the chosen and the rejected answer's argument.
struct Value {
  double loss, dchosen, drejected;
};

// Of a function of the difference of both: its value and slope.
Value of_difference(double loss, double slope) { return {loss, slope, -slope}; }

Value smoothed_sigmoid(double beta, double difference, double smoothing) {
  const double x = beta * difference;
  return of_difference(-log_sigmoid(x) * (1 - smoothing) - log_sigmoid(-x) * smoothing,
                       beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x)));
}

// arXiv 2403.00409, with labels that are wrong at a rate of `smoothing`
Value robust(double beta, double difference, double smoothing) {
  const double x = beta * difference, scale = 1 / (1 - 2 * smoothing);
  return of_difference(scale * (smoothing * log_sigmoid(-x) - (1 - smoothing) * log_sigmoid(x)),
                       -scale * beta * ((1 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x)));
}

// arXiv 2402.00856
Value exo_pair(double beta, double difference, double smoothing) {
  const double x = beta * difference, s = sigmoid(x), odds = std::log(1 - smoothing) - std::log(smoothing);
  return of_difference(
      s * (log_sigmoid(x) - std::log(1 - smoothing)) + sigmoid(-x) * (log_sigmoid(-x) - std::log(smoothing)),
      beta * s * sigmoid(-x) * (x - odds));
}

// arXiv 2402.05369
Value nca_pair(double beta, double chosen, double rejected) {
  const double c = beta * chosen, r = beta * rejected;
  return {-log_sigmoid(c) - 0.5 * log_sigmoid(-c) - 0.5 * log_sigmoid(-r), beta * (0.5 * sigmoid(c) - sigmoid(-c)),
          beta * 0.5 * sigmoid(r)};
}

// arXiv 2404.04656, from a baseline of 0, as TRL has it
Value bco_pair(double beta, double chosen, double rejected) {
  const double c = beta * chosen, r = beta * rejected;
  return {-log_sigmoid(c) - log_sigmoid(-r), -beta * sigmoid(-c), beta * sigmoid(r)};
}

// arXiv 2405.00675
Value sppo_hard(double beta, double chosen, double rejected) {
  const double c = chosen - 0.5 / beta, r = rejected + 0.5 / beta;
  return {c * c + r * r, 2 * c, 2 * r};
}

double slope_of_sigmoid(double x) { return sigmoid(x) * sigmoid(-x); }

// arXiv 2408.06266
Value apo_zero(double beta, double chosen, double rejected) {
  const double c = beta * chosen, r = beta * rejected;
  return {sigmoid(-c) + sigmoid(r), -beta * slope_of_sigmoid(c), beta * slope_of_sigmoid(r)};
}
Value apo_down(double beta, double chosen, double rejected) {
  const double c = beta * chosen, d = beta * (chosen - rejected);
  return {sigmoid(c) + sigmoid(-d), beta * (slope_of_sigmoid(c) - slope_of_sigmoid(d)), beta * slope_of_sigmoid(d)};
}

// arXiv 2406.08414
Value discopop(double beta, double difference) {
  constexpr double kTemperature = 0.05;
  const double x = beta * difference, share = sigmoid(x / kTemperature);
  const double dshare = slope_of_sigmoid(x / kTemperature) / kTemperature;
  return of_difference(
      -log_sigmoid(x) * (1 - share) + std::exp(-x) * share,
      beta * (dshare * (std::exp(-x) + log_sigmoid(x)) - sigmoid(-x) * (1 - share) - std::exp(-x) * share));
}

// arXiv 2403.07691, of means
Value orpo(double beta, double chosen, double rejected) {
  constexpr double kSure = -1e-12;  // the odds of what is certain have no bound
  const double c = std::fmin(chosen, kSure), r = std::fmin(rejected, kSure);
  const auto odds = [](double p) { return p - std::log(-std::expm1(p)); };
  const double x = odds(c) - odds(r), slope = -beta * sigmoid(-x);
  return {-chosen - beta * log_sigmoid(x), slope / -std::expm1(c) - 1, slope / std::expm1(r)};
}

// Which losses take means over an answer's tokens for its sums.
bool takes_means(const PreferenceSpec& p) {
  return p.loss == PreferenceLoss::kIpo || p.loss == PreferenceLoss::kSigmoidNorm || !p.has_reference();
}

// The arguments are log ratios to the reference, or log-probabilities where there is none; sums or means.
Value value_of(const PreferenceSpec& p, double chosen, double rejected) {
  const double beta = p.beta, difference = chosen - rejected;
  switch (p.loss) {
    case PreferenceLoss::kSigmoid:
    case PreferenceLoss::kSigmoidNorm:
      return smoothed_sigmoid(beta, difference, p.loss == PreferenceLoss::kSigmoid ? p.label_smoothing : 0);
    case PreferenceLoss::kHinge:
      return of_difference(std::fmax(0, 1 - beta * difference), beta * difference < 1 ? -beta : 0);
    case PreferenceLoss::kIpo: {  // arXiv 2310.12036
      const double x = difference - 0.5 / beta;
      return of_difference(x * x, 2 * x);
    }
    case PreferenceLoss::kOrpo:
      return orpo(beta, chosen, rejected);
    case PreferenceLoss::kSimpo:  // arXiv 2405.14734
      return smoothed_sigmoid(beta, difference - p.simpo_gamma / beta, 0);
    case PreferenceLoss::kRobust:
      return robust(beta, difference, p.label_smoothing);
    case PreferenceLoss::kExoPair:
      return exo_pair(beta, difference, p.label_smoothing);
    case PreferenceLoss::kNcaPair:
      return nca_pair(beta, chosen, rejected);
    case PreferenceLoss::kBcoPair:
      return bco_pair(beta, chosen, rejected);
    case PreferenceLoss::kSppoHard:
      return sppo_hard(beta, chosen, rejected);
    case PreferenceLoss::kApoZero:
      return apo_zero(beta, chosen, rejected);
    case PreferenceLoss::kApoDown:
      return apo_down(beta, chosen, rejected);
    case PreferenceLoss::kDiscopop:
      return discopop(beta, difference);
  }
  throw internal_error("a preference loss has no formula");
}

}  // namespace

PairLoss preference_loss(const PreferenceSpec& p, const AnswerLogprobs& chosen, const AnswerLogprobs& rejected) {
  const bool compares = p.has_reference();
  const auto ratio = [&](const AnswerLogprobs& answer) { return answer.policy - (compares ? answer.reference : 0); };
  const auto mean = [](double sum, const AnswerLogprobs& answer) { return sum / static_cast<double>(answer.tokens); };
  const auto taken = [&](double sum, const AnswerLogprobs& answer) { return takes_means(p) ? mean(sum, answer) : sum; };
  const auto logged = [&](double sum, const AnswerLogprobs& answer) { return compares ? sum : mean(sum, answer); };
  const Value value = value_of(p, taken(ratio(chosen), chosen), taken(ratio(rejected), rejected));
  PairLoss out{.loss = value.loss,
               .dchosen = taken(value.dchosen, chosen),
               .drejected = taken(value.drejected, rejected),
               .chosen_reward = p.beta * logged(ratio(chosen), chosen),
               .rejected_reward = p.beta * logged(ratio(rejected), rejected),
               .chosen_logps = logged(chosen.policy, chosen),
               .rejected_logps = logged(rejected.policy, rejected)};
  if (p.ftx > 0) {
    out.loss -= p.ftx * mean(chosen.policy, chosen);
    out.dchosen -= mean(p.ftx, chosen);
  }
  return out;
}

}  // namespace hearth
