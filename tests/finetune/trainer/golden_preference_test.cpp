// Ten steps of TRL's DPOTrainer with peft on tiny models (tests/golden/make_preference.py), from the same adapter over
// the same pairs: everything that it logs of every step within 1e-3.
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/encoding/join_turns.h"
#include "finetune/spec/load_train_spec.h"
#include "tests/finetune/trainer/run_trainer.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

const std::filesystem::path kGolden = "tests/golden";

nlohmann::json read_json(const std::filesystem::path& path) { return nlohmann::json::parse(read_file(path)); }

std::vector<TokenizedExample> golden_pairs() {
  std::vector<TokenizedExample> pairs;
  for (const nlohmann::json& pair : read_json(kGolden / "preference" / "pairs.json")) {
    const auto ids = [&](const char* key) { return pair.at(key).get<std::vector<TokenId>>(); };
    pairs.push_back(join_pair(ids("prompt"), ids("chosen"), ids("rejected")));
  }
  return pairs;
}

TrainSpec golden_spec(const nlohmann::json& run, const std::filesystem::path& model) {
  nlohmann::json keys = run["settings"];
  keys["model_name_or_path"] = model.string();
  keys["adapter_name_or_path"] = (kGolden / "training" / run["start"].get<std::string>()).string();
  keys["output_dir"] = (model / "out").string();
  keys["dataset"] = "golden";
  keys["do_train"] = true;
  keys["logging_steps"] = 1;
  keys["disable_shuffling"] = true;
  keys["save_strategy"] = "no";
  return parse_train_spec(keys.dump(), "golden");
}

class GoldenPreference : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPreference, EqualsTrl) {
  const nlohmann::json run = read_json(kGolden / "preference" / (std::string(GetParam()) + ".json"));
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model(run["model"]), directory.path());
  const LoadedModel loaded = load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32});
  const TrainSpec spec = golden_spec(run, directory.path());
  const std::unique_ptr<Trainable> trainable = make_trainable(spec, loaded);
  test::TrainerRun ran(spec, *loaded.model, *trainable, golden_pairs());
  ran.trainer.train();

  const nlohmann::json& steps = run["steps"];
  ASSERT_EQ(ran.monitor.records.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (size_t m = 0; m < run["metrics"].size(); ++m) {
      const std::string name = run["metrics"][m];
      const double expected = steps[i][m], found = ran.monitor.records[i].at(name);
      EXPECT_NEAR(found, expected, 1e-3 * std::abs(expected) + 1e-6) << "step " << i + 1 << ": " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, GoldenPreference,
                         testing::Values("llama", "qwen2", "gpt2", "hinge", "ipo", "robust", "exo_pair", "nca_pair",
                                         "bco_pair", "sppo_hard", "apo_zero", "apo_down", "discopop", "sigmoid_norm"));

}  // namespace
}  // namespace hearth
