#include "finetune/losses/preference.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr PreferenceLoss kLosses[] = {PreferenceLoss::kSigmoid,  PreferenceLoss::kHinge,      PreferenceLoss::kIpo,
                                      PreferenceLoss::kOrpo,     PreferenceLoss::kSimpo,      PreferenceLoss::kRobust,
                                      PreferenceLoss::kExoPair,  PreferenceLoss::kNcaPair,    PreferenceLoss::kBcoPair,
                                      PreferenceLoss::kSppoHard, PreferenceLoss::kApoZero,    PreferenceLoss::kApoDown,
                                      PreferenceLoss::kDiscopop, PreferenceLoss::kSigmoidNorm};

PreferenceSpec spec_of(PreferenceLoss loss) {
  return {.loss = loss, .beta = 0.3, .ftx = 0.2, .label_smoothing = 0.1, .simpo_gamma = 0.5};
}

TEST(Preference, DerivativesAreThoseOfTheLoss) {
  constexpr double kStep = 1e-5;
  for (const PreferenceLoss loss : kLosses) {
    const PreferenceSpec spec = spec_of(loss);
    for (const double chosen : {-30.0, -7.0, -2.5}) {
      for (const double rejected : {-28.0, -9.0, -3.1}) {
        const auto at = [&](double c, double r) {
          return preference_loss(spec, {.policy = c, .reference = -8, .tokens = 5},
                                 {.policy = r, .reference = -9, .tokens = 7});
        };
        const PairLoss found = at(chosen, rejected);
        const double dchosen = (at(chosen + kStep, rejected).loss - at(chosen - kStep, rejected).loss) / (2 * kStep);
        const double drejected = (at(chosen, rejected + kStep).loss - at(chosen, rejected - kStep).loss) / (2 * kStep);
        EXPECT_NEAR(found.dchosen, dchosen, 1e-6 + 1e-6 * std::abs(dchosen)) << static_cast<int>(loss);
        EXPECT_NEAR(found.drejected, drejected, 1e-6 + 1e-6 * std::abs(drejected)) << static_cast<int>(loss);
      }
    }
  }
}

TEST(Preference, OrpoAndSimpoAreLlamaFactorys) {
  const nlohmann::json golden = nlohmann::json::parse(read_file("tests/golden/preference/llamafactory.json"));
  for (const auto& [name, loss] : {std::pair{"orpo", PreferenceLoss::kOrpo}, {"simpo", PreferenceLoss::kSimpo}}) {
    ASSERT_GE(golden.at(name).size(), 5u);
    for (const nlohmann::json& row : golden.at(name)) {
      const PreferenceSpec spec{.loss = loss, .beta = row[2], .simpo_gamma = row[3]};
      // Means of three and of four tokens; a reference does not count.
      const PairLoss found = preference_loss(spec, {.policy = 3 * row[0].get<double>(), .reference = -5, .tokens = 3},
                                             {.policy = 4 * row[1].get<double>(), .reference = -6, .tokens = 4});
      const auto expect = [&](double value, const nlohmann::json& expected) {
        EXPECT_NEAR(value, expected.get<double>(), 1e-9 * (1 + std::abs(expected.get<double>()))) << name << row;
      };
      expect(found.loss, row[4]);
      expect(3 * found.dchosen, row[5]);
      expect(4 * found.drejected, row[6]);
      EXPECT_DOUBLE_EQ(found.chosen_reward, spec.beta * row[0].get<double>());
      EXPECT_DOUBLE_EQ(found.rejected_logps, row[1].get<double>());
    }
  }
}

// Far from what can be: no overflow.
TEST(Preference, StaysFinite) {
  for (const PreferenceLoss loss : kLosses) {
    for (const double far : {-1e5, -1e-12}) {
      const PairLoss found = preference_loss(spec_of(loss), {.policy = far, .reference = -3, .tokens = 2},
                                             {.policy = far < -1 ? 0 : -1e5, .reference = -4, .tokens = 3});
      if (loss == PreferenceLoss::kDiscopop && far < -1) continue;  // exp(-beta difference) is its definition
      EXPECT_TRUE(std::isfinite(found.loss) && std::isfinite(found.dchosen) && std::isfinite(found.drejected))
          << static_cast<int>(loss) << " " << far;
    }
  }
}

TEST(Preference, FtxAddsTheChosenAnswersOwnLoss) {
  PreferenceSpec spec{.loss = PreferenceLoss::kSigmoid};
  const AnswerLogprobs chosen{.policy = -6, .reference = -7, .tokens = 4}, rejected{.policy = -9, .tokens = 2};
  const double without = preference_loss(spec, chosen, rejected).loss;
  spec.ftx = 0.5;
  EXPECT_DOUBLE_EQ(preference_loss(spec, chosen, rejected).loss, without + 0.5 * 6 / 4);
}

}  // namespace
}  // namespace hearth
