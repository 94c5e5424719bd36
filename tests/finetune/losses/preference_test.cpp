#include "finetune/losses/preference.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/losses/kto.h"
#include "finetune/spec/spec_fields.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr PreferenceLoss kLosses[] = {
    PreferenceLoss::kSigmoid,     PreferenceLoss::kHinge,      PreferenceLoss::kIpo,      PreferenceLoss::kKtoPair,
    PreferenceLoss::kOrpo,        PreferenceLoss::kSimpo,      PreferenceLoss::kRobust,   PreferenceLoss::kExoPair,
    PreferenceLoss::kNcaPair,     PreferenceLoss::kBcoPair,    PreferenceLoss::kSppoHard, PreferenceLoss::kAot,
    PreferenceLoss::kAotUnpaired, PreferenceLoss::kApoZero,    PreferenceLoss::kApoDown,  PreferenceLoss::kDiscopop,
    PreferenceLoss::kSft,         PreferenceLoss::kSigmoidNorm};

PreferenceSpec spec_of(PreferenceLoss loss) {
  return {.losses = {loss}, .beta = 0.3, .ftx = 0.2, .label_smoothing = 0.1, .simpo_gamma = 0.5};
}

PreferenceOutcome of_one(const PreferenceSpec& spec, const AnswerLogprobs& chosen, const AnswerLogprobs& rejected) {
  const PairLogprobs pair{chosen, rejected};
  return preference_loss(spec, {&pair, 1});
}

std::vector<PairLogprobs> some_pairs() {
  std::vector<PairLogprobs> pairs;
  for (const auto& [chosen, rejected] : {std::pair{-7.0, -9.4}, {-12.0, -3.1}, {-2.5, -6.0}, {-30.0, -28.0}})
    pairs.push_back(
        {{.policy = chosen, .whole = chosen - 1, .reference = -8 + chosen / 7, .tokens = 5, .mean_confidence = -0.3},
         {.policy = rejected, .whole = rejected - 2, .reference = -9, .tokens = 7, .mean_confidence = -0.2}});
  return pairs;
}

// By every answer's sums, of a batch whose pairs may depend on each other.
void expect_derivatives(const PreferenceSpec& spec, const std::string& name,
                        std::vector<PairLogprobs> pairs = some_pairs()) {
  constexpr double kStep = 1e-5;
  const PreferenceOutcome found = preference_loss(spec, pairs, 0.7);
  const auto expect = [&](double& value, double slope, const char* what) {
    const double old = value;
    value = old + kStep;
    const double above = preference_loss(spec, pairs, 0.7).loss;
    value = old - kStep;
    const double below = preference_loss(spec, pairs, 0.7).loss;
    value = old;
    const double expected = (above - below) / (2 * kStep);
    EXPECT_NEAR(slope, expected, 1e-6 + 1e-6 * std::abs(expected)) << name << " by " << what;
  };
  for (size_t i = 0; i < pairs.size(); ++i) {
    expect(pairs[i].chosen.policy, found.pairs[i].chosen.slope, "chosen");
    expect(pairs[i].rejected.policy, found.pairs[i].rejected.slope, "rejected");
    expect(pairs[i].chosen.whole, found.pairs[i].chosen.whole_slope, "all of chosen");
    expect(pairs[i].rejected.whole, found.pairs[i].rejected.whole_slope, "all of rejected");
  }
}

TEST(Preference, DerivativesAreThoseOfTheLoss) {
  for (const PreferenceLoss loss : kLosses) expect_derivatives(spec_of(loss), std::string(name_of(loss)));
  PreferenceSpec spec = spec_of(PreferenceLoss::kSigmoid);
  spec.bco_weight = 0.5;
  expect_derivatives(spec, "sigmoid with bco");
  spec = {.losses = {PreferenceLoss::kSigmoid, PreferenceLoss::kBcoPair, PreferenceLoss::kSft},
          .loss_weights = {0.8, 0.2, 1.5},
          .use_weighting = true};
  expect_derivatives(spec, "weighted losses of weighted pairs");
  for (const PreferenceLoss loss : kLosses) {
    if (!is_of_scores(loss)) continue;
    for (const Divergence divergence : {Divergence::kForwardKl, Divergence::kJensenShannon, Divergence::kAlpha}) {
      spec = spec_of(loss);
      spec.beta = 0.05;
      spec.divergence = divergence;
      std::vector<PairLogprobs> close = some_pairs();  // scores grow as fast as exp
      for (PairLogprobs& pair : close) {
        pair.chosen.reference = 0.9 * pair.chosen.policy;
        pair.rejected.reference = 0.95 * pair.rejected.policy - 1;
      }
      expect_derivatives(spec, std::string(name_of(loss)) + " of another divergence", close);
    }
  }
}

TEST(Preference, AnAlphaDivergenceNearOneIsReverseKl) {
  PreferenceSpec spec = spec_of(PreferenceLoss::kSigmoid);
  const std::vector<PairLogprobs> pairs = some_pairs();
  const double expected = preference_loss(spec, pairs).loss;
  spec.divergence = Divergence::kAlpha;
  spec.alpha_divergence_coef = 1;
  EXPECT_DOUBLE_EQ(preference_loss(spec, pairs).loss, expected);
}

TEST(Preference, OrpoAndSimpoAreLlamaFactorys) {
  const nlohmann::json golden = nlohmann::json::parse(read_file("tests/golden/preference/llamafactory.json"));
  for (const PreferenceLoss loss : {PreferenceLoss::kOrpo, PreferenceLoss::kSimpo}) {
    const std::string name(name_of(loss));
    ASSERT_GE(golden.at(name).size(), 5u);
    for (const nlohmann::json& row : golden.at(name)) {
      const PreferenceSpec spec{.losses = {loss}, .beta = row[2], .simpo_gamma = row[3]};
      // Means of three and of four tokens; a reference does not count.
      const PreferenceOutcome found = of_one(spec, {.policy = 3 * row[0].get<double>(), .reference = -5, .tokens = 3},
                                             {.policy = 4 * row[1].get<double>(), .reference = -6, .tokens = 4});
      const auto expect = [&](double value, const nlohmann::json& expected) {
        EXPECT_NEAR(value, expected.get<double>(), 1e-9 * (1 + std::abs(expected.get<double>()))) << name << row;
      };
      expect(found.loss, row[4]);
      expect(3 * found.pairs[0].chosen.slope, row[5]);
      expect(4 * found.pairs[0].rejected.slope, row[6]);
      EXPECT_DOUBLE_EQ(found.pairs[0].chosen.reward, spec.beta * row[0].get<double>());
      EXPECT_DOUBLE_EQ(found.pairs[0].rejected.logps, row[1].get<double>());
    }
  }
}

// Far from what can be: no overflow.
TEST(Preference, StaysFinite) {
  for (const PreferenceLoss loss : kLosses) {
    for (const double far : {-1e5, -1e-12}) {
      const PreferenceOutcome found = of_one(spec_of(loss), {.policy = far, .reference = -3, .tokens = 2},
                                             {.policy = far < -1 ? 0 : -1e5, .reference = -4, .tokens = 3});
      if (loss == PreferenceLoss::kDiscopop && far < -1) continue;  // exp(-beta difference) is its definition
      const PairOutcome& pair = found.pairs[0];
      EXPECT_TRUE(std::isfinite(found.loss) && std::isfinite(pair.chosen.slope) && std::isfinite(pair.rejected.slope))
          << name_of(loss) << " " << far;
    }
  }
}

TEST(Preference, FtxAddsTheChosenAnswersOwnLoss) {
  PreferenceSpec spec;
  const AnswerLogprobs chosen{.policy = -6, .reference = -7, .tokens = 4}, rejected{.policy = -9, .tokens = 2};
  const double without = of_one(spec, chosen, rejected).loss;
  spec.ftx = 0.5;
  EXPECT_DOUBLE_EQ(of_one(spec, chosen, rejected).loss, without + 0.5 * 6 / 4);
}

TEST(Preference, PartsAddUp) {
  const std::vector<PairLogprobs> pairs = some_pairs();
  PreferenceSpec spec{.losses = {PreferenceLoss::kSigmoid, PreferenceLoss::kSft}, .loss_weights = {0.5, 2}};
  EXPECT_EQ(loss_part_names(spec), (std::vector<std::string>{"loss/sigmoid", "loss/sft"}));
  PreferenceOutcome found = preference_loss(spec, pairs);
  EXPECT_NEAR(found.loss, 0.5 * found.parts[0] + 2 * found.parts[1], 1e-12);
  spec = {.losses = {PreferenceLoss::kOrpo}};
  EXPECT_EQ(loss_part_names(spec), (std::vector<std::string>{"sft_loss", "odds_ratio_loss"}));
  found = preference_loss(spec, pairs);
  EXPECT_NEAR(found.loss, found.parts[0] + spec.beta * found.parts[1], 1e-12);
}

TEST(Kto, DerivativesAreThoseOfTheLoss) {
  constexpr double kStep = 1e-5;
  const PreferenceSpec spec{.beta = 0.3, .ftx = 0.2, .kto_chosen_weight = 1.3, .kto_rejected_weight = 0.7};
  std::vector<FeedbackLogprobs> answers = {{.policy = -7, .reference = -8, .tokens = 4, .desirable = true},
                                           {.policy = -9, .reference = -6, .tokens = 3, .desirable = false},
                                           {.policy = -3, .reference = -5, .tokens = 2, .desirable = true}};
  const KtoOutcome found = kto_loss(spec, answers, 0.4);
  for (size_t i = 0; i < answers.size(); ++i) {
    FeedbackLogprobs& answer = answers[i];
    const double old = answer.policy;
    answer.policy = old + kStep;
    const double above = kto_loss(spec, answers, 0.4).loss;
    answer.policy = old - kStep;
    const double below = kto_loss(spec, answers, 0.4).loss;
    answer.policy = old;
    EXPECT_NEAR(found.slopes[i], (above - below) / (2 * kStep), 1e-8) << i;
    EXPECT_DOUBLE_EQ(found.rewards[i], spec.beta * (answer.policy - answer.reference));
  }
}

}  // namespace
}  // namespace hearth
