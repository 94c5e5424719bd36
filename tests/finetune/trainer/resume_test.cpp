// A run that was cut off and goes on equals one that was not, to the bit.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/encoding/join_turns.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/output_dir.h"
#include "tests/finetune/trainer/run_trainer.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

using testing::HasSubstr;

std::vector<TokenizedExample> examples() {
  std::vector<TokenizedExample> data;
  for (int i = 0; i < 11; ++i) {
    TokenizedExample example;
    for (int k = 0; k < 4 + i % 5; ++k) example.input_ids.push_back(3 + (7 * i + 5 * k) % 40);
    example.labels = example.input_ids;
    example.labels[0] = kIgnoredLabel;
    data.push_back(example);
  }
  return data;
}

// Of examples that follow each other.
std::vector<TokenizedExample> pairs(Stage stage) {
  const std::vector<TokenizedExample> data = examples();
  std::vector<TokenizedExample> out;
  for (size_t i = 1; i < data.size(); ++i) {
    out.push_back(join_pair(EncodedText{{3, 4}}, {data[i - 1].input_ids}, {data[i].input_ids}));
    if (stage == Stage::kKto) out.back().desirable = i % 3 > 0;
  }
  return out;
}

class Resume : public testing::Test {
 protected:
  Resume() {
    test::make_directory(test::tiny_model("none"), directory_.path() / "model");
    ::setenv("XDG_CACHE_HOME", (directory_.path() / "cache").c_str(), 1);  // of what references say
  }
  void TearDown() override { ::unsetenv("XDG_CACHE_HOME"); }

  TrainSpec spec(const std::string& out, const std::string& more = "") const {
    const std::string stage = more.starts_with("stage: ") ? "" : "stage: sft\n";
    const std::string text =
        stage +
        "do_train: true\nfinetuning_type: lora\nlora_rank: 4\ndataset: none\n"
        "per_device_train_batch_size: 2\ngradient_accumulation_steps: 2\nlearning_rate: 1e-3\nnum_train_epochs: 3\n"
        "logging_steps: 2\nlora_dropout: 0.2\nneftune_noise_alpha: 5\nlr_scheduler_type: cosine\n" +
        more;
    return parse_train_spec(text, "job.yaml",
                            std::vector<std::string>{"model_name_or_path=" + (directory_.path() / "model").string(),
                                                     "output_dir=" + (directory_.path() / out).string()});
  }

  struct Ran {
    Trainer::Result result;
    std::vector<LogRecord> records;
    std::vector<float> values;
    TrainerState state;
  };

  // Goes on from `checkpoint` where there is one.
  static Ran run(const TrainSpec& spec, const std::filesystem::path& checkpoint = {}, int64_t stop_after = -1) {
    const LoadedModel loaded = load_model(spec.model_name_or_path, {.compute_dtype = ComputeDtype::kFloat32});
    const std::unique_ptr<Trainable> trainable = make_trainable(spec, loaded);
    const std::vector<TokenizedExample> data = compares_answers(spec.stage) ? pairs(spec.stage) : examples();
    test::TrainerRun run(spec, loaded, *trainable, data, {{"", {data[2], data[5]}}});
    run.monitor.stop_after = stop_after;
    if (!checkpoint.empty()) run.trainer.resume(checkpoint);
    Ran ran{.result = run.trainer.train(), .records = run.monitor.records, .values = {}, .state = run.trainer.state()};
    for (const Parameter* parameter : trainable->parameters())
      ran.values.insert(ran.values.end(), parameter->value.data(), parameter->value.data() + parameter->value.size());
    return ran;
  }

  test::TemporaryDirectory directory_;
};

TEST_F(Resume, ContinuesBitForBit) {
  const Ran whole = run(spec("whole"));
  EXPECT_EQ(whole.state.global_step, 9);
  for (const int64_t stop : {1, 4, 7}) {
    const std::string out = "cut" + std::to_string(stop);
    const Ran first = run(spec(out), {}, stop);
    EXPECT_TRUE(first.result.stopped);
    const OutputDir found = inspect_output_dir(spec(out));
    ASSERT_TRUE(found.checkpoint.has_value());
    const Ran second = run(spec(out), *found.checkpoint);
    EXPECT_EQ(second.values, whole.values) << "stopped after step " << stop;
    EXPECT_EQ(second.result.metrics["train_loss"], whole.result.metrics["train_loss"]);
    EXPECT_EQ(second.state.log_history.size(), whole.state.log_history.size());
    for (size_t i = 0; i + 1 < whole.state.log_history.size(); ++i)
      EXPECT_EQ(second.state.log_history[i]["loss"], whole.state.log_history[i]["loss"]);
  }
}

// Log lines of pairs have means over two steps, one before the end of the first run and one after it. The resumed run
// finds what the reference says on disk; it and the baseline of bco must be what they were.
TEST_F(Resume, OfPairsContinuesBitForBit) {
  for (const std::string stage : {"dpo", "dpo\npref_bco_weight: 0.5", "kto", "rm"}) {
    const std::string keys = "stage: " + stage + "\n", of = std::to_string(stage.size()) + stage.substr(0, 3);
    const Ran whole = run(spec("whole" + of, keys));
    const Ran first = run(spec("cut" + of, keys), {}, 3);
    const OutputDir found = inspect_output_dir(spec("cut" + of, keys));
    ASSERT_TRUE(first.result.stopped && found.checkpoint.has_value());
    const Ran second = run(spec("cut" + of, keys), *found.checkpoint);
    EXPECT_EQ(second.values, whole.values) << stage;
    ASSERT_EQ(second.state.log_history.size(), whole.state.log_history.size());
    for (size_t i = 0; i + 1 < whole.state.log_history.size(); ++i)
      for (const auto& [name, value] : whole.state.log_history[i].items())
        EXPECT_EQ(second.state.log_history[i].at(name), value) << stage << ": " << name;
    EXPECT_TRUE(whole.state.log_history[0].contains("rewards/margins")) << stage;
  }
}

// Which counted neither tokens nor metrics by weight.
TEST_F(Resume, OfAnEarlierVersionGoesOn) {
  const Ran whole = run(spec("whole", "stage: dpo\n"));
  run(spec("cut", "stage: dpo\n"), {}, 3);
  const OutputDir found = inspect_output_dir(spec("cut", "stage: dpo\n"));
  ASSERT_TRUE(found.checkpoint.has_value());
  const std::filesystem::path path = *found.checkpoint / "run_totals.json";
  nlohmann::json totals = nlohmann::json::parse(read_file(path));
  totals.erase("tokens");
  totals.erase("objective_state");
  totals["window_metrics"] = {0.5, 1.5};
  write_file_atomic(path, totals.dump());
  EXPECT_EQ(run(spec("cut", "stage: dpo\n"), *found.checkpoint).values, whole.values);
}

TEST_F(Resume, OfAnotherJobIsRefusedWithItsKeys) {
  run(spec("out"), {}, 2);
  try {
    inspect_output_dir(spec("out", "weight_decay: 0.1\n"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(error.what(), HasSubstr("weight_decay"));
  }
  EXPECT_FALSE(inspect_output_dir(spec("out", "weight_decay: 0.1\noverwrite_output_dir: true\n")).checkpoint);
  EXPECT_TRUE(inspect_output_dir(spec("out", "overwrite_output_dir: true\n")).checkpoint);
  EXPECT_FALSE(
      inspect_output_dir(spec("out", "overwrite_output_dir: true\nresume_from_checkpoint: false\n")).checkpoint);
}

TEST_F(Resume, UnfinishedCheckpointsDoNotCount) {
  run(spec("out", "save_steps: 3\n"));
  const std::filesystem::path out = directory_.path() / "out";
  std::filesystem::create_directories(out / "checkpoint-99.unfinished");
  const std::vector<Checkpoint> found = find_checkpoints(out);
  ASSERT_EQ(found.size(), 3);
  EXPECT_EQ(found.back().step, 9);
  remove_leftovers(out);
  EXPECT_FALSE(std::filesystem::exists(out / "checkpoint-99.unfinished"));
}

// A run that is killed after its last checkpoint, before its results, has ended by want of progress all the same.
TEST_F(Resume, StopsWhereItHadStoppedEarly) {
  // A falling loss is no progress then.
  const TrainSpec early = spec("out",
                               "save_steps: 1\neval_strategy: steps\neval_steps: 1\nearly_stopping_steps: 1\n"
                               "val_size: 0.1\ngreater_is_better: true\n");
  const Ran whole = run(early);
  ASSERT_TRUE(whole.result.early_stop);
  ASSERT_LT(whole.state.global_step, 9);
  const Ran again = run(early, find_checkpoints(directory_.path() / "out").back().directory);
  EXPECT_EQ(again.state.global_step, whole.state.global_step);
  EXPECT_EQ(again.values, whole.values);
}

TEST_F(Resume, KeepsTheNewestAndTheBest) {
  const Ran ran = run(spec("out",
                           "save_steps: 1\nsave_total_limit: 2\neval_strategy: steps\neval_steps: 1\n"
                           "load_best_model_at_end: true\nval_size: 0.1\n"));
  const std::vector<Checkpoint> found = find_checkpoints(directory_.path() / "out");
  EXPECT_EQ(found.size(), 2);
  EXPECT_EQ(found.back().step, 9);
  EXPECT_TRUE(std::filesystem::exists(ran.state.best_model_checkpoint.value()));
}

TEST_F(Resume, WithoutTheOptimizerIsRefused) {
  run(spec("out", "save_only_model: true\nsave_steps: 3\n"));
  const std::filesystem::path last = directory_.path() / "out/checkpoint-9";
  EXPECT_THROW(run(spec("out"), last), Error);
}

}  // namespace
}  // namespace hearth
