// do_eval of tiny models against LLaMA-Factory's (tests/golden/make_evaluation.py): losses and perplexities within
// 1e-4, accuracies within 1e-6.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/parallel/communicator.h"
#include "finetune/reports/results.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/evaluation.h"
#include "finetune/trainer/silent_monitor.h"
#include "finetune/trainer/train.h"
#include "runtime/base/file.h"
#include "tests/models/tiny_models.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kGolden = "tests/golden/evaluation";

const std::atomic<bool> kNeverStops{false};

class GoldenEvaluation : public testing::TestWithParam<const char*> {};

TEST_P(GoldenEvaluation, EqualsLlamaFactory) {
  const Json run = Json::parse(read_file(kGolden / (std::string(GetParam()) + ".json")));
  const test::TemporaryDirectory directory;
  const fs::path model = directory.path() / "model", out = directory.path() / "out";
  test::make_directory(test::tiny_model(run["model"]), model);
  Json keys = run["settings"];
  keys["model_name_or_path"] = model.string();
  keys["dataset_dir"] = kGolden.string();
  keys["output_dir"] = out.string();
  SilentMonitor monitor(kNeverStops);
  SingleProcess alone;
  run_job(parse_train_spec(keys.dump(), "eval.yaml"), monitor, alone);
  const Json found = Json::parse(read_file(out / "eval_results.json"));
  for (const auto& [name, value] : run["results"].items()) {
    const double expected = value.get<double>(), tolerance = name.ends_with("accuracy") ? 1e-6 : 1e-4 * expected;
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_NEAR(found[name].get<double>(), expected, tolerance) << name;
  }
  for (const auto& [name, value] : found.items())
    EXPECT_TRUE(run["results"].contains(name) || name.ends_with("_runtime") || name.ends_with("_per_second")) << name;
}

INSTANTIATE_TEST_SUITE_P(Runs, GoldenEvaluation,
                         testing::Values("sft", "sft_adapter", "sft_qwen2", "sft_train_on_prompt", "sft_each", "pt",
                                         "pt_last_of_one", "pt_each"));

TEST(Perplexity, OfALossBeyondDoubleIsNull) {
  const test::TemporaryDirectory directory;
  LogRecord metrics = {{"eval_loss", 800.0}, {"eval_two_loss", 1.0}, {"eval_three_loss", nullptr}};
  add_perplexities({{"", {}}, {"two", {}}, {"three", {}}, {"four", {}}}, metrics);
  EXPECT_EQ(metrics["eval_perplexity"].get<double>(), std::numeric_limits<double>::infinity());
  EXPECT_NEAR(metrics["eval_two_perplexity"].get<double>(), std::exp(1.0), 1e-12);
  EXPECT_FALSE(metrics.contains("eval_three_perplexity") || metrics.contains("eval_four_perplexity"));
  save_results(directory.path(), "eval", metrics);
  for (const char* file : {"eval_results.json", "all_results.json"})
    EXPECT_TRUE(Json::parse(read_file(directory.path() / file))["eval_perplexity"].is_null()) << file;
}

}  // namespace
}  // namespace hearth
