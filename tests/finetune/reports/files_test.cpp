#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/reports/loss_plot.h"
#include "finetune/reports/results.h"
#include "finetune/reports/trainer_log.h"
#include "finetune/reports/trainer_state.h"
#include "runtime/base/append_file.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/finetune/reports/some_run.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kReference = "tests/golden/reports/trainer_state.json";  // which transformers wrote

template <class Fn>
std::string refusal(ErrorCode code, Fn fn) {
  try {
    fn();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    return e.what();
  }
  return "none";
}

TEST(TrainerState, IsTransformersFileToTheByte) {
  const test::TemporaryDirectory directory;
  const TrainerState state = TrainerState::load(kReference);
  EXPECT_EQ(state.global_step, 30);
  EXPECT_EQ(state.best_global_step, 20);
  EXPECT_EQ(state.log_history.size(), 2u);
  state.save(directory.path() / "trainer_state.json");
  EXPECT_EQ(read_file(directory.path() / "trainer_state.json"), read_file(kReference));
}

TEST(TrainerState, NamesTheFieldThatIsWrong) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "s.json";
  const auto refused = [&](const std::string& text) {
    write_file_atomic(path, text);
    return refusal(ErrorCode::kDataCorruption, [&] { TrainerState::load(path); });
  };
  EXPECT_THAT(refused("{"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused(R"({"global_step": "x"})"), HasSubstr(R"(global_step is "x", must be an integer)"));
  EXPECT_THAT(refused(R"({"global_step": -1})"), HasSubstr("global_step is -1"));
  EXPECT_THAT(refused(R"({"best_model_checkpoint": 3})"), HasSubstr("must be a string"));
  EXPECT_THAT(refused(R"({"log_history": [{}, 4]})"), HasSubstr("log_history[1]"));
  EXPECT_EQ(refused("{}"), "none");
}

TEST(TrainerLog, HasLlamaFactorysFieldsInItsOrder) {
  std::string lines;
  some_run([&](TrainerState& state) {
    state.num_input_tokens_seen = state.global_step * 100;
    lines += trainer_log_line(state, RunBegin{}, 67.25);
  });
  EXPECT_EQ(lines,
            R"({"current_steps": 5, "total_steps": 20, "loss": 2.5, "lr": 1e-05, "epoch": 0.5, "percentage": 25.0, )"
            R"("elapsed_time": "0:01:07", "remaining_time": "0:03:21", "throughput": 7.43, "total_tokens": 500})"
            "\n"
            R"({"current_steps": 10, "total_steps": 20, "loss": 1.25, "lr": 5e-06, "epoch": 1.0, "percentage": 50.0, )"
            R"("elapsed_time": "0:01:07", "remaining_time": "0:01:07", "throughput": 14.87, "total_tokens": 1000})"
            "\n"
            R"({"current_steps": 10, "total_steps": 20, "eval_loss": 1.5, "epoch": 1.0, "percentage": 50.0, )"
            R"("elapsed_time": "0:01:07", "remaining_time": "0:01:07", "throughput": 14.87, "total_tokens": 1000})"
            "\n");
  TrainerState resumed;
  resumed.global_step = 10;
  resumed.max_steps = 110;
  resumed.log({});
  EXPECT_THAT(trainer_log_line(resumed, {.global_step = 9}, 3600),
              HasSubstr("\"remaining_time\": \"4 days, 4:00:00\""));
}

TEST(TrainerLog, GoesOnOrStartsAnew) {
  const test::TemporaryDirectory directory;
  const TrainSpec spec = some_spec(directory.path() / "new");
  const std::filesystem::path path = spec.training.output_dir / "trainer_log.jsonl";
  const auto lines_after_a_run = [&](const TrainerState& from) {
    TrainerLog log;
    log.on_begin(spec, from);
    log.on_end(some_run([&](const TrainerState& s) { log.on_log(s); }), Outcome::kFinished);
    const std::string text = read_file(path);
    return std::count(text.begin(), text.end(), '\n');
  };
  TrainerState two;
  two.log_history.resize(2);
  EXPECT_EQ(lines_after_a_run({}), 3);
  AppendFile(path).append("{\"cut");
  EXPECT_EQ(lines_after_a_run(two), 5);
  EXPECT_EQ(lines_after_a_run({}), 3);
}

TEST(AppendFile, SaysThatTheDiskIsFull) {
  EXPECT_THAT(refusal(ErrorCode::kUnavailable, [] { AppendFile("/dev/full").append("line\n"); }),
              StartsWith("/dev/full: cannot write: No space left on device"));
}

TEST(Results, AllOfThemAreTheUnion) {
  const test::TemporaryDirectory directory;
  save_results(directory.path(), "train", LogRecord::parse(R"({"train_loss": 1.5, "epoch": 2.0})"));
  save_results(directory.path(), "eval", LogRecord::parse(R"({"eval_loss": 1.25, "epoch": 3.0})"));
  EXPECT_EQ(read_file(directory.path() / "train_results.json"), "{\n    \"epoch\": 2.0,\n    \"train_loss\": 1.5\n}");
  EXPECT_EQ(read_file(directory.path() / "all_results.json"),
            "{\n    \"epoch\": 3.0,\n    \"eval_loss\": 1.25,\n    \"train_loss\": 1.5\n}");
}

TEST(LossPlot, SmoothsAsTensorBoardDoes) {
  // 1.8 * (sigmoid(0.15) - 0.5) = 0.0673737...
  EXPECT_THAT(smoothed({1, 2, 4}),
              ElementsAre(DoubleNear(1, 1e-12), DoubleNear(1.932626, 1e-6), DoubleNear(3.860713, 1e-6)));
  EXPECT_TRUE(smoothed({}).empty());
}

TEST(LossPlot, DrawsWhatWasLoggedAndFailsSoftly) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path output_dir = directory.path() / "it's a run_1";
  std::filesystem::create_directory(output_dir);
  const TrainerState state = some_run([](const TrainerState&) {});
  plot_history(state, {"loss", "eval_loss", "rewards/accuracies"}, output_dir);
  for (const char* name : {"training_loss.png", "training_eval_loss.png"})
    EXPECT_THAT(read_file(output_dir / name), StartsWith("\x89PNG")) << name;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(output_dir), {}), 2);
  plot_history(state, {"loss"}, output_dir / "missing" / "\n");
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  plot_history(state, {"loss"}, output_dir);
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace hearth
