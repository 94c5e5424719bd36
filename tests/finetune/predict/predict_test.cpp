// do_predict on tiny models: LLaMA-Factory's own predictions (tests/golden/make_predictions.py) to the byte and its
// scores within 1e-4; a run that was cut off goes on and ends in the same bytes.
#include "finetune/predict/predict.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/parallel/communicator.h"
#include "finetune/predict/score_predictions.h"
#include "finetune/predict/whole_job.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/output_dir.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/models/tiny_models.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kGolden = "tests/golden/predictions";

struct Monitor : JobMonitor {
  void on_note(const std::string& line) override { notes.push_back(line); }
  void on_warning(const std::string&) override {}
  void on_steps(int64_t, int64_t) override {}
  void on_predicting(int64_t done, int64_t, double) override { predicted.push_back(done); }
  void on_step(const TrainerState& state, double, double) override { steps = state.global_step; }
  void on_log(const LogRecord&) override {}
  void on_evaluating(int64_t, int64_t) override {}
  void on_checkpoint(const fs::path&) override {}
  bool stop_requested() override { return !predicted.empty() && predicted.back() == stop_after; }

  std::vector<std::string> notes;
  std::vector<int64_t> predicted;
  int64_t steps = 0, stop_after = -1;
};

// As the reference, which goes by the tokenizer's end of sequence; served, a model also stops where its own
// configuration says so.
void stop_at_the_tokenizers_end(const fs::path& model) {
  Json config = Json::parse(read_file(model / "config.json"));
  config["eos_token_id"] = 2;
  write_file_atomic(model / "config.json", config.dump());
  fs::remove(model / "generation_config.json");
}

// A tiny model and an output_dir.
class Predict : public testing::Test {
 protected:
  TrainSpec spec(const Json& more = Json::object(), const std::string& model = "none") {
    const fs::path base = directory_.path() / model;
    if (!fs::exists(base)) test::make_directory(test::tiny_model(model), base);
    Json keys = Json::parse(R"({"do_predict": true, "predict_with_generate": true, "template": "chatml",
                                "max_new_tokens": 12, "cutoff_len": 48, "infer_dtype": "float32"})");
    keys["model_name_or_path"] = base.string();
    keys["dataset_dir"] = kGolden.string();
    keys["eval_dataset"] = "rows";
    keys["output_dir"] = out().string();
    keys.update(more);
    return parse_train_spec(keys.dump(), "job.yaml");
  }
  fs::path out() const { return directory_.path() / "out"; }
  std::string predictions() const { return read_file(out() / kPredictionsFile); }
  std::string predicted(const TrainSpec& job) {
    Monitor monitor;
    EXPECT_FALSE(predict(job, monitor).stopped);
    return predictions();
  }

  test::TemporaryDirectory directory_;
};

TEST_F(Predict, EqualsLlamaFactory) {
  for (const char* name : {"chatml", "repetition", "adapter"}) {
    const Json run = Json::parse(read_file(kGolden / (std::string(name) + ".json")));
    for (const int batch : {1, 4}) {
      Json keys = run["settings"];
      keys["per_device_eval_batch_size"] = batch;
      Monitor monitor;
      const TrainSpec job = spec(keys, run["model"]);
      stop_at_the_tokenizers_end(job.model_name_or_path);
      const PredictResult result = predict(job, monitor);
      EXPECT_EQ(predictions(), read_file(kGolden / (std::string(name) + ".jsonl"))) << name << ", batch " << batch;
      for (const auto& [key, value] : run["results"].items())
        EXPECT_NEAR(result.metrics.at(key).get<double>(), value.get<double>(), 1e-4) << name << ": " << key;
    }
  }
  const Json results = Json::parse(read_file(out() / kPredictionResults));
  for (const char* key : {"predict_runtime", "predict_samples_per_second", "predict_steps_per_second",
                          "predict_model_preparation_time", "predict_sacrebleu", "predict_f1"})
    EXPECT_TRUE(results.contains(key)) << key;
  std::ifstream scores(out() / kPredictionScores);
  std::string first, line;
  ASSERT_TRUE(std::getline(scores, first));
  int lines = 1;
  while (std::getline(scores, line)) ++lines;
  EXPECT_EQ(lines, 10);
  const Json score = Json::parse(first);
  EXPECT_EQ(score["index"], 0);
  for (const char* key : {"bleu-4", "rouge-1", "rouge-2", "rouge-l", "exact_match", "f1"})
    EXPECT_TRUE(score.contains(key)) << key;
}

TEST_F(Predict, AFileInGgufAnswersAlike) {
  const std::string expected = predicted(spec());
  const fs::path gguf = test::make_gguf(test::tiny_model("none"), directory_.path());
  EXPECT_EQ(predicted(spec({{"model_name_or_path", gguf.string()}})), expected);
}

TEST_F(Predict, WhatWasCutOffGoesOn) {
  const std::string expected = predicted(spec());
  fs::remove(out() / kPredictionResults);
  size_t three_lines = 0;
  for (int i = 0; i < 3; ++i) three_lines = expected.find('\n', three_lines) + 1;
  for (const std::string& left :
       {expected.substr(0, three_lines), expected.substr(0, three_lines + 20),
        expected.substr(0, three_lines) + R"({"prompt": "other", "predict": "", "label": ""})" + "\n"}) {
    fs::remove(out() / kPredictionResults);
    write_file_atomic(out() / kPredictionsFile, left);
    Monitor monitor;
    predict(spec(), monitor);
    EXPECT_EQ(monitor.predicted.front(), 3);
    EXPECT_EQ(predictions(), expected);
  }
  Monitor stops;
  stops.stop_after = 4;
  EXPECT_TRUE(predict(spec(), stops).stopped);  // the finished run began anew
  EXPECT_EQ(stops.predicted.front(), 0);
  EXPECT_FALSE(has_predictions(spec()));
  EXPECT_EQ(predicted(spec()), expected);
}

TEST_F(Predict, LinesOfAnotherJobAreNotMixedIn) {
  Monitor stops;
  stops.stop_after = 2;
  EXPECT_TRUE(predict(spec(), stops).stopped);
  const Json other = {{"max_new_tokens", 3}};
  EXPECT_EQ(test::error_of([&] { predicted(spec(other)); }),
            (out() / kPredictionsFile).string() +
                ": holds predictions of an unfinished job with another generation; choose another output_dir, or set "
                "overwrite_output_dir: true");
  const Json overwriting = {{"max_new_tokens", 3}, {"overwrite_output_dir", true}};
  Monitor monitor;
  predict(spec(overwriting), monitor);
  EXPECT_EQ(monitor.predicted.front(), 0);
}

TEST_F(Predict, SampledAnswersFollowFromTheSeed) {
  const Json sampled = {{"do_sample", true}, {"overwrite_output_dir", true}};
  Json in_ones = sampled, other_seed = sampled;
  in_ones["per_device_eval_batch_size"] = 1;
  other_seed["seed"] = 7;
  const std::string greedy = predicted(spec()), once = predicted(spec(sampled));
  EXPECT_NE(once, greedy);
  EXPECT_EQ(predicted(spec(sampled)), once);
  EXPECT_EQ(predicted(spec(in_ones)), once);
  EXPECT_NE(predicted(spec(other_seed)), once);
}

TEST_F(Predict, APromptWithoutRoomForAnAnswerIsNamed) {
  const Json keys = {{"cutoff_len", 2048}, {"template", "alpaca"}};
  EXPECT_EQ(test::error_of([&] { predicted(spec(keys)); }),
            "rows.json, row 1: a prompt of 119 tokens leaves no room for an answer in the model's 64 positions: lower "
            "cutoff_len");
}

TEST_F(Predict, AJobTrainsOnceAndThenPredicts) {
  const Json keys = Json::parse(R"({"do_train": true, "dataset": "rows", "max_steps": 2, "learning_rate": 0.05,
                                    "lora_target": "q_proj,v_proj", "overwrite_output_dir": true})");
  const std::string before = predicted(spec());
  SingleProcess alone;
  Monitor stops, goes_on;
  stops.stop_after = 4;
  EXPECT_TRUE(run_whole_job(spec(keys), stops, alone).stopped);
  EXPECT_EQ(stops.steps, 2);
  EXPECT_FALSE(finished_job(spec(keys)));
  const JobResult result = run_whole_job(spec(keys), goes_on, alone);
  EXPECT_EQ(goes_on.steps, 0);
  EXPECT_EQ(goes_on.predicted.front(), 4);
  EXPECT_FALSE(result.stopped);
  EXPECT_TRUE(result.metrics.contains("train_loss") && result.metrics.contains("predict_bleu-4"));
  EXPECT_TRUE(finished_job(spec(keys)));
  EXPECT_NE(predictions(), before);

  // The adapter in output_dir, as a YAML without do_train names it.
  const std::string trained = predictions();
  const Json named = {{"adapter_name_or_path", out().string()}, {"output_dir", (directory_.path() / "other").string()}};
  Monitor monitor;
  predict(spec(named), monitor);
  EXPECT_EQ(read_file(directory_.path() / "other" / kPredictionsFile), trained);
}

TEST_F(Predict, WithoutItsTrainingThereIsNothingToPredictWith) {
  const Json keys = {{"do_train", true}, {"dataset", "rows"}};
  EXPECT_EQ(test::error_of([&] { predicted(spec(keys)); }),
            out().string() + ": has no finished run: train first (hearth train)");
}

TEST(ScorePredictions, FilesThatAreNoPredictions) {
  const test::TemporaryDirectory directory;
  const fs::path file = directory.path() / "p.jsonl";
  const auto error = [&](const std::string& content) {
    write_file_atomic(file, content);
    return test::error_of([&] { score_predictions(file); });
  };
  EXPECT_EQ(
      error("{\"predict\": \"a\", \"label\": \"a\"}\n{\"predict\": \"a\"}\n"),
      "p.jsonl, row 2: there is no \"label\"; a row of predictions is {\"predict\": \"...\", \"label\": \"...\"}");
  EXPECT_EQ(error("{\"predict\": 1, \"label\": \"a\"}\n"), "p.jsonl, row 1: \"predict\" is number, must be a text");
  EXPECT_EQ(error(""), file.string() + ": there are no predictions in it");
  write_file_atomic(file, "{\"label\": \"Paris\", \"predict\": \"Paris.\", \"prompt\": \"?\"}\n");
  EXPECT_NEAR(score_predictions(file).results().at("predict_bleu-4").get<double>(), 75.9836, 1e-4);
}

}  // namespace
}  // namespace hearth
