#include "finetune/losses/pair_loss.h"

#include <cmath>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// Of a function of the difference of both: its value and slope.
PairValue of_difference(double loss, double slope) { return {loss, slope, -slope}; }

// arXiv 2403.00409, with labels that are wrong at a rate of `smoothing`
PairValue robust(double beta, double difference, double smoothing) {
  const double x = beta * difference, scale = 1 / (1 - 2 * smoothing);
  return of_difference(scale * (smoothing * log_sigmoid(-x) - (1 - smoothing) * log_sigmoid(x)),
                       -scale * beta * ((1 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x)));
}

// arXiv 2402.00856
PairValue exo_pair(double beta, double difference, double smoothing) {
  const double x = beta * difference, s = sigmoid(x), odds = std::log(1 - smoothing) - std::log(smoothing);
  return of_difference(
      s * (log_sigmoid(x) - std::log(1 - smoothing)) + sigmoid(-x) * (log_sigmoid(-x) - std::log(smoothing)),
      beta * s * sigmoid(-x) * (x - odds));
}

// arXiv 2402.05369
PairValue nca_pair(double beta, double chosen, double rejected) {
  const double c = beta * chosen, r = beta * rejected;
  return {-log_sigmoid(c) - 0.5 * log_sigmoid(-c) - 0.5 * log_sigmoid(-r), beta * (0.5 * sigmoid(c) - sigmoid(-c)),
          beta * 0.5 * sigmoid(r)};
}

// arXiv 2405.00675
PairValue sppo_hard(double beta, double chosen, double rejected) {
  const double c = chosen - 0.5 / beta, r = rejected + 0.5 / beta;
  return {c * c + r * r, 2 * c, 2 * r};
}

double slope_of_sigmoid(double x) { return sigmoid(x) * sigmoid(-x); }

// arXiv 2408.06266
PairValue apo_zero(double beta, double chosen, double rejected) {
  const double c = beta * chosen, r = beta * rejected;
  return {sigmoid(-c) + sigmoid(r), -beta * slope_of_sigmoid(c), beta * slope_of_sigmoid(r)};
}
PairValue apo_down(double beta, double chosen, double rejected) {
  const double c = beta * chosen, d = beta * (chosen - rejected);
  return {sigmoid(c) + sigmoid(-d), beta * (slope_of_sigmoid(c) - slope_of_sigmoid(d)), beta * slope_of_sigmoid(d)};
}

// arXiv 2406.08414
PairValue discopop(double beta, double difference, double tau) {
  const double x = beta * difference, share = sigmoid(x / tau), dshare = slope_of_sigmoid(x / tau) / tau;
  return of_difference(
      -log_sigmoid(x) * (1 - share) + std::exp(-x) * share,
      beta * (dshare * (std::exp(-x) + log_sigmoid(x)) - sigmoid(-x) * (1 - share) - std::exp(-x) * share));
}

// arXiv 2403.07691, of means
PairValue orpo(double beta, double chosen, double rejected) {
  constexpr double kSure = -1e-12;  // the odds of what is certain have no bound
  const double c = std::fmin(chosen, kSure), r = std::fmin(rejected, kSure);
  const auto odds = [](double p) { return p - std::log(-std::expm1(p)); };
  const double x = odds(c) - odds(r), slope = -beta * sigmoid(-x);
  return {-chosen - beta * log_sigmoid(x), slope / -std::expm1(c) - 1, slope / std::expm1(r)};
}

}  // namespace

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double log_sigmoid(double x) { return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x)); }

PairValue smoothed_sigmoid(double beta, double difference, double smoothing) {
  const double x = beta * difference;
  return of_difference(-log_sigmoid(x) * (1 - smoothing) - log_sigmoid(-x) * smoothing,
                       beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x)));
}

PairValue pair_loss(PreferenceLoss loss, const PreferenceSpec& p, double chosen, double rejected) {
  const double beta = p.beta, difference = chosen - rejected;
  switch (loss) {
    case PreferenceLoss::kSigmoid:
      return smoothed_sigmoid(beta, difference, p.label_smoothing);
    case PreferenceLoss::kSigmoidNorm:
      return smoothed_sigmoid(beta, difference, 0);
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
      return bco_pair(beta, chosen, rejected, 0);
    case PreferenceLoss::kSppoHard:
      return sppo_hard(beta, chosen, rejected);
    case PreferenceLoss::kApoZero:
      return apo_zero(beta, chosen, rejected);
    case PreferenceLoss::kApoDown:
      return apo_down(beta, chosen, rejected);
    case PreferenceLoss::kDiscopop:
      return discopop(beta, difference, p.discopop_tau);
    case PreferenceLoss::kKtoPair:
    case PreferenceLoss::kAot:
    case PreferenceLoss::kAotUnpaired:
    case PreferenceLoss::kSft:
      break;
  }
  throw internal_error("this preference loss is not one of a single pair");
}

// arXiv 2404.04656
PairValue bco_pair(double beta, double chosen, double rejected, double baseline) {
  const double c = beta * chosen - baseline, r = beta * rejected - baseline;
  return {-log_sigmoid(c) - log_sigmoid(-r), -beta * sigmoid(-c), beta * sigmoid(r)};
}

// arXiv 2309.16240
Score divergence_score(const PreferenceSpec& p, double ratio) {
  constexpr double kMostExponent = 80;
  switch (p.divergence) {
    case Divergence::kReverseKl:
      break;
    case Divergence::kForwardKl:
      return {1 - std::exp(-ratio), std::exp(-ratio)};
    case Divergence::kJensenShannon:
      return {std::log(2) + log_sigmoid(ratio), sigmoid(-ratio)};
    case Divergence::kAlpha: {
      const double by = p.alpha_divergence_coef - 1, exponent = by * ratio;
      if (std::abs(by) < 1e-6) break;
      return {std::expm1(std::fmin(exponent, kMostExponent)) / by, exponent > kMostExponent ? 0 : std::exp(exponent)};
    }
  }
  return {ratio, 1};
}

}  // namespace hearth
