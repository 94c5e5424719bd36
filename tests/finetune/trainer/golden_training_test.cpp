// Twenty steps of transformers' Trainer with peft on tiny models (tests/golden/make_training.py), from the same adapter
// over the same examples: loss, length of the gradient and learning rate of every step within 1e-3, what the run
// changed of every trained tensor within 1e-2.
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/spec/load_train_spec.h"
#include "tests/finetune/trainer/run_trainer.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

const std::filesystem::path kTraining = "tests/golden/training";

nlohmann::json read_json(const std::filesystem::path& path) { return nlohmann::json::parse(read_file(path)); }

std::vector<TokenizedExample> golden_data(Stage stage) {
  std::vector<TokenizedExample> data;
  for (const nlohmann::json& example : read_json(kTraining / "examples.json"))
    data.push_back({.input_ids = example["input_ids"].get<std::vector<TokenId>>(),
                    .labels = example["labels"].get<std::vector<TokenId>>()});
  if (stage == Stage::kPretraining)
    for (TokenizedExample& example : data) example.labels = example.input_ids;
  return data;
}

// The run's settings are LLaMA-Factory's keys, and JSON is YAML.
TrainSpec golden_spec(const nlohmann::json& run, const std::filesystem::path& model, const std::filesystem::path& out) {
  nlohmann::json keys = run["settings"];
  keys["model_name_or_path"] = model.string();
  if (!run["start"].is_null()) keys["adapter_name_or_path"] = (kTraining / run["start"].get<std::string>()).string();
  keys["output_dir"] = out.string();
  keys["dataset"] = "golden";
  keys["do_train"] = true;
  keys["logging_steps"] = 1;
  keys["disable_shuffling"] = true;
  keys["save_strategy"] = "no";
  return parse_train_spec(keys.dump(), "golden");
}

void expect_near(double found, double expected, double relative, const std::string& what) {
  EXPECT_NEAR(found, expected, relative * std::abs(expected) + 1e-9) << what;
}

double change(const Parameter& parameter, const Tensor& before) {
  double sum = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const double d = static_cast<double>(parameter.value.data()[i]) - before.data()[i];
    sum += d * d;
  }
  return std::sqrt(sum);
}

class GoldenTraining : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTraining, EqualsTransformersAndPeft) {
  const nlohmann::json run = read_json(kTraining / GetParam() / "run.json");
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model(run["model"]), directory.path());
  const LoadedModel loaded = load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32});
  const TrainSpec spec = golden_spec(run, directory.path(), directory.path() / "out");
  const std::unique_ptr<Trainable> trainable = make_trainable(spec, loaded);
  std::vector<Tensor> before;
  for (const Parameter* parameter : trainable->parameters()) {
    before.emplace_back(parameter->value.shape());
    std::copy_n(parameter->value.data(), parameter->value.size(), before.back().data());
  }

  test::TrainerRun ran(spec, loaded, *trainable, golden_data(spec.stage));
  ran.trainer.train();

  const nlohmann::json& steps = run["steps"];
  ASSERT_EQ(ran.monitor.records.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string step = "step " + std::to_string(i + 1) + ": ";
    expect_near(ran.monitor.records[i]["loss"], steps[i][0], 1e-3, step + "loss");
    expect_near(ran.monitor.records[i]["grad_norm"], steps[i][1], 1e-3, step + "grad_norm");
    expect_near(ran.monitor.records[i]["learning_rate"], steps[i][2], 1e-3, step + "learning_rate");
  }
  const nlohmann::json& changes = run["changes"];
  EXPECT_EQ(trainable->parameters().size(), changes.size());
  for (size_t p = 0; p < before.size(); ++p) {
    const Parameter& parameter = *trainable->parameters()[p];
    ASSERT_TRUE(changes.contains(parameter.name)) << parameter.name;
    expect_near(change(parameter, before[p]), changes[parameter.name]["norm"], 1e-2, parameter.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, GoldenTraining,
                         testing::Values("llama", "qwen2", "gpt2", "gemma3", "llama_small", "label_smoothing",
                                         "pretraining", "rslora", "dora", "modules_to_save", "full", "full_tied",
                                         "full_gpt2", "freeze"));

}  // namespace
}  // namespace hearth
