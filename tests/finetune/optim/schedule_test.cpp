#include "finetune/optim/schedule.h"

#include <cmath>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "tests/finetune/optim/golden.h"

namespace hearth {
namespace {

using testing::HasSubstr;

const std::map<std::string, SchedulerType> kTypes = {{"linear", SchedulerType::kLinear},
                                                     {"cosine", SchedulerType::kCosine},
                                                     {"cosine_with_restarts", SchedulerType::kCosineWithRestarts},
                                                     {"polynomial", SchedulerType::kPolynomial},
                                                     {"constant", SchedulerType::kConstant},
                                                     {"constant_with_warmup", SchedulerType::kConstantWithWarmup},
                                                     {"inverse_sqrt", SchedulerType::kInverseSqrt},
                                                     {"cosine_with_min_lr", SchedulerType::kCosineWithMinLr},
                                                     {"warmup_stable_decay", SchedulerType::kWarmupStableDecay}};

TEST(Schedule, EveryStepOfEveryTypeIsTransformers) {
  size_t types = 0;
  const nlohmann::json cases = optim_cases();
  for (const nlohmann::json& row : cases["schedules"]) {
    TrainingSpec training;
    training.learning_rate = 2e-4;
    training.lr_scheduler_type = kTypes.at(row["type"]);
    training.warmup_steps = row["warmup"];
    training.lr_scheduler_kwargs = row["kwargs"].get<std::map<std::string, double>>();
    const Schedule schedule = make_schedule(training, row["total"]);
    types |= size_t{1} << static_cast<int>(training.lr_scheduler_type);
    for (size_t step = 0; step < row["rates"].size(); ++step) {
      const double expected = row["rates"][step];
      EXPECT_NEAR(training.learning_rate * schedule(static_cast<int64_t>(step)), expected, 1e-18 + 1e-12 * expected)
          << row["type"] << " step " << step;
    }
  }
  EXPECT_EQ(types, 0b111111111u);
}

TEST(Schedule, WarmupIsACountOrARatio) {
  TrainingSpec t;
  const auto warmup = [&](double steps, double ratio) {
    t.warmup_steps = steps;
    t.warmup_ratio = ratio;
    return num_warmup_steps(t, 101);
  };
  EXPECT_EQ(warmup(0, 0), 0);
  EXPECT_EQ(warmup(7, 0.5), 7);
  EXPECT_EQ(warmup(0, 0.1), 11);
  EXPECT_EQ(warmup(0.1, 0.9), 11);
  EXPECT_EQ(warmup(1.9, 0), 1);
}

TEST(Schedule, NamesTheKeywordItCannotUse) {
  const auto refusal = [](SchedulerType type, const std::map<std::string, double>& kwargs) {
    TrainingSpec t;
    t.lr_scheduler_type = type;
    t.lr_scheduler_kwargs = kwargs;
    try {
      make_schedule(t, 10);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(refusal(SchedulerType::kCosine, {{"num_cycle", 1}}),
              HasSubstr("cosine has no 'num_cycle' (did you mean 'num_cycles'?)"));
  EXPECT_THAT(refusal(SchedulerType::kCosineWithMinLr, {}), HasSubstr("neither is given"));
  EXPECT_THAT(refusal(SchedulerType::kCosineWithMinLr, {{"min_lr", 1e-6}, {"min_lr_rate", 0.1}}),
              HasSubstr("not both"));
  EXPECT_THAT(refusal(SchedulerType::kPolynomial, {{"lr_end", 1}}), HasSubstr("lr_end is 1"));
  EXPECT_THAT(refusal(SchedulerType::kInverseSqrt, {{"timescale", 0}}), HasSubstr("timescale is 0"));
  EXPECT_THAT(refusal(SchedulerType::kLinear, {{"power", NAN}}), HasSubstr("linear has no 'power'"));
}

}  // namespace
}  // namespace hearth
