// Ten steps of TRL's DPOTrainer and of LLaMA-Factory's trainers of preferences with peft on tiny models
// (tests/golden/make_preference.py, make_preference_llamafactory.py), from the same adapter over the same ids: all that
// they log of every step within 1e-3.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/encoding/join_turns.h"
#include "finetune/losses/preference.h"
#include "finetune/spec/load_train_spec.h"
#include "tests/finetune/trainer/run_trainer.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = "tests/golden";

nlohmann::json read_json(const fs::path& path) { return nlohmann::json::parse(read_file(path)); }

std::vector<TokenizedExample> golden_examples(Stage stage) {
  const bool is_kto = stage == Stage::kKto;
  std::vector<TokenizedExample> examples;
  for (const nlohmann::json& row : read_json(kGolden / "preference" / (is_kto ? "kto.json" : "pairs.json"))) {
    const auto ids = [&](const char* key) { return row.at(key).get<std::vector<TokenId>>(); };
    examples.push_back(
        join_pair({ids("prompt")}, {ids(is_kto ? "answer" : "chosen")}, {ids(is_kto ? "kl_answer" : "rejected")}));
    if (is_kto) examples.back().desirable = row.at("desirable").get<bool>();
  }
  return examples;
}

TrainSpec golden_spec(const nlohmann::json& run, const fs::path& model) {
  nlohmann::json keys = run["settings"];
  const std::string start = fs::weakly_canonical(kGolden / "training" / run["start"].get<std::string>()).string();
  if (keys.contains("ref_model_adapters")) keys["ref_model_adapters"] = start;
  keys["model_name_or_path"] = model.string();
  keys["adapter_name_or_path"] = start;
  keys["output_dir"] = (model / "out").string();
  keys["dataset"] = "golden";
  keys["do_train"] = true;
  keys["logging_steps"] = 1;
  keys["disable_shuffling"] = true;
  keys["save_strategy"] = "no";
  keys["precompute_ref_log_probs"] = false;
  return parse_train_spec(keys.dump(), "golden");
}

// How many batches a step has, of examples that come again in every epoch.
int64_t batches_of_step(const TrainSpec& spec, size_t examples, size_t step) {
  const int64_t batch = spec.training.per_device_train_batch_size, each = spec.training.gradient_accumulation_steps;
  const int64_t batches = (static_cast<int64_t>(examples) + batch - 1) / batch, steps = (batches + each - 1) / each;
  return std::min(each, batches - static_cast<int64_t>(step) % steps * each);
}

class GoldenPreference : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPreference, EqualsTheReferences) {
  const nlohmann::json run = read_json(kGolden / "preference" / (std::string(GetParam()) + ".json"));
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model(run["model"]), directory.path());
  const LoadedModel loaded = load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32});
  const TrainSpec spec = golden_spec(run, directory.path());
  const std::unique_ptr<Trainable> trainable = make_trainable(spec, loaded);
  const std::vector<TokenizedExample> examples = golden_examples(spec.stage);
  test::TrainerRun ran(spec, loaded, *trainable, examples);
  ran.trainer.train();

  const nlohmann::json& steps = run["steps"];
  ASSERT_EQ(ran.monitor.records.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (size_t m = 0; m < run["metrics"].size(); ++m) {
      const std::string name = run["metrics"][m];
      if (steps[i][m].is_null()) {
        EXPECT_FALSE(ran.monitor.records[i].contains(name)) << "step " << i + 1 << ": " << name;
        continue;
      }
      double expected = steps[i][m];
      // LLaMA-Factory's is the sum of all batches since the last line; hearth's is their mean.
      if (name == "kl") expected /= static_cast<double>(batches_of_step(spec, examples.size(), i));
      const double found = ran.monitor.records[i].at(name);
      EXPECT_NEAR(found, expected, 1e-3 * std::abs(expected) + 1e-6) << "step " << i + 1 << ": " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Trl, GoldenPreference,
                         testing::Values("llama", "qwen2", "gpt2", "hinge", "ipo", "robust", "exo_pair", "nca_pair",
                                         "bco_pair", "sppo_hard", "aot", "aot_smoothed", "aot_unpaired", "apo_zero",
                                         "apo_down", "discopop", "discopop_tau", "sft", "sigmoid_norm", "weighted_list",
                                         "use_weighting", "forward_kl", "js_divergence", "alpha_divergence",
                                         "alpha_divergence_above_1", "ipo_js_divergence",
                                         "sigmoid_norm_alpha_divergence", "start_as_reference", "token_accuracy"));

INSTANTIATE_TEST_SUITE_P(LlamaFactory, GoldenPreference,
                         testing::Values("lf_sigmoid", "lf_sigmoid_qwen2", "lf_sigmoid_gpt2", "lf_sigmoid_smoothed",
                                         "lf_sigmoid_ftx", "lf_sigmoid_bco", "lf_sigmoid_ld_alpha", "lf_orpo",
                                         "lf_orpo_ftx", "lf_simpo", "lf_kto", "lf_kto_ftx", "lf_kto_qwen2",
                                         "lf_kto_gpt2", "lf_reward"));

// kto_pair is a loss that LLaMA-Factory names and no version of TRL that it takes has any more.
TEST(GoldenPreferenceLoss, KtoPairIsThatOfTheVersionThatHadIt) {
  const nlohmann::json golden = read_json(kGolden / "preference" / "kto_pair.json");
  ASSERT_GE(golden.size(), 3u);
  for (const nlohmann::json& batch : golden) {
    std::vector<PairLogprobs> pairs(batch["policy"][0].size());
    for (size_t i = 0; i < pairs.size(); ++i)
      pairs[i] = {{.policy = batch["policy"][0][i], .reference = batch["reference"][0][i]},
                  {.policy = batch["policy"][1][i], .reference = batch["reference"][1][i]}};
    const PreferenceSpec spec{.losses = {PreferenceLoss::kKtoPair}, .beta = batch["beta"]};
    const PreferenceOutcome found = preference_loss(spec, pairs);
    EXPECT_NEAR(found.loss, batch["loss"].get<double>(), 1e-9);
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_NEAR(found.pairs[i].chosen.slope, batch["derivatives"][0][i].get<double>(), 1e-9) << i;
      EXPECT_NEAR(found.pairs[i].rejected.slope, batch["derivatives"][1][i].get<double>(), 1e-9) << i;
    }
  }
}

}  // namespace
}  // namespace hearth
