// What is measured, and what cannot be.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/speed/measure_speed.h"
#include "tests/models/tiny_models.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

class Recorder : public SpeedMonitor {
 public:
  void on_model(const std::string& text) override { description = text; }
  void on_test(const std::string&, int, int) override { ++begun; }
  void on_speed(const Speed& speed) override { speeds.push_back(speed); }
  bool stop_requested() override { return begun > stops_in; }

  std::string description;
  std::vector<Speed> speeds;
  int begun = 0, stops_in = 1000;
};

SpeedTests small() {
  return {.prompt_tokens = 24,
          .generated_tokens = 5,
          .sequences = {1, 3},
          .train_rows = 2,
          .train_tokens = 16,
          .repetitions = 2};
}

class Bench : public testing::Test {
 protected:
  Bench() { test::make_directory(test::tiny_model("none"), model_.path()); }
  std::string refusal(const SpeedTests& tests) {
    return test::error_of([&] { measure_speed(model_.path(), tests, monitor_); });
  }

  test::TemporaryDirectory model_;
  Recorder monitor_;
};

TEST_F(Bench, MeasuresReadingWritingAndLearning) {
  measure_speed(model_.path(), small(), monitor_);
  EXPECT_TRUE(monitor_.description.starts_with("llama, ")) << monitor_.description;
  std::vector<std::string> tests;
  for (const Speed& speed : monitor_.speeds) {
    tests.push_back(speed.test + " " + std::to_string(speed.sequences) + " x " + std::to_string(speed.tokens));
    EXPECT_EQ(speed.tokens_per_second.size(), 2u);
    EXPECT_THAT(speed.tokens_per_second, testing::Each(testing::AllOf(testing::Gt(0), testing::Lt(1e9))));
  }
  EXPECT_THAT(tests, testing::ElementsAre("prefill 1 x 24", "decode 1 x 5", "decode 3 x 5", "train 2 x 16"));
}

TEST_F(Bench, LeavesOutWhatIsNotAskedFor) {
  SpeedTests tests = small();
  tests.prompt_tokens = tests.train_rows = 0;
  tests.sequences = {2};
  measure_speed(model_.path(), tests, monitor_);
  ASSERT_EQ(monitor_.speeds.size(), 1u);
  EXPECT_EQ(monitor_.speeds[0].test, "decode");
}

TEST_F(Bench, RefusesMoreTokensThanTheModelHasPositions) {
  SpeedTests tests = small();
  tests.prompt_tokens = 100'000;
  EXPECT_THAT(refusal(tests), testing::HasSubstr("positions"));
}

TEST_F(Bench, StopsInAnyTest) {
  for (int test = 0; test < 4; ++test) {
    monitor_ = Recorder();
    monitor_.stops_in = test;
    EXPECT_EQ(refusal(small()), "stopped") << test;
    EXPECT_EQ(monitor_.speeds.size(), static_cast<size_t>(test));
  }
}

TEST(Speed, TheMedianIsTheMiddleOne) {
  EXPECT_EQ((Speed{.test = "", .tokens_per_second = {9, 1, 2}}.median()), 2);
  EXPECT_EQ((Speed{.test = "", .tokens_per_second = {4, 1, 2, 9}}.median()), 3);
}

}  // namespace
}  // namespace hearth
