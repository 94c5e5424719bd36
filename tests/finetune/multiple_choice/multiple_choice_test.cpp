// Multiple-choice evaluations of tiny models: LLaMA-Factory's letters and table to the byte
// (tests/golden/make_choice.py), its log-probabilities within 1e-3; from an archive as from its files, in batches as
// one by one.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/multiple_choice/choice_prompts.h"
#include "finetune/multiple_choice/choice_scores.h"
#include "finetune/multiple_choice/evaluate_multiple_choice.h"
#include "finetune/spec/multiple_choice_spec.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/models/tiny_models.h"
#include "tests/support/error_of.h"
#include "tests/support/list_tokenizer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/zip_image.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const fs::path kGolden = "tests/golden/choice";

struct Monitor : JobMonitor {
  void on_note(const std::string&) override {}
  void on_warning(const std::string& line) override { warnings.push_back(line); }
  void on_steps(int64_t, int64_t) override {}
  void on_predicting(int64_t now, int64_t total, double) override {
    done = now;
    questions = total;
  }
  void on_step(const TrainerState&, double, double) override {}
  void on_log(const LogRecord&) override {}
  void on_evaluating(int64_t, int64_t) override {}
  void on_checkpoint(const fs::path&) override {}
  bool stop_requested() override { return done == stop_after; }

  std::vector<std::string> warnings;
  int64_t done = 0, questions = 0, stop_after = -1;
};

class MultipleChoice : public testing::Test {
 protected:
  MultipleChoiceSpec spec(const Json& settings, int context = 4096) {
    const fs::path base = directory_.path() / ("model" + std::to_string(context));
    if (!fs::exists(base)) {
      test::make_directory(test::tiny_model("none"), base);
      Json config = Json::parse(read_file(base / "config.json"));
      config["max_position_embeddings"] = context;
      write_file_atomic(base / "config.json", config.dump());
    }
    Json keys = settings;
    keys["model_name_or_path"] = base.string();
    if (!keys.contains("task_dir")) keys["task_dir"] = (kGolden / "evaluation").string();
    if (!keys.contains("save_dir")) keys["save_dir"] = out().string();
    return parse_multiple_choice_spec(keys.dump(), "eval.yaml");
  }
  // Of 23 questions without shots.
  static Json plain() {
    return Json::parse(R"({"task": "mmlu_test", "template": "fewshot", "n_shot": 0, "infer_dtype": "float32"})");
  }
  fs::path out() const { return directory_.path() / "out"; }

  test::TemporaryDirectory directory_;
};

TEST_F(MultipleChoice, EqualsLlamaFactory) {
  for (const char* name :
       {"mmlu_fewshot_0", "mmlu_fewshot_5", "mmlu_chatml_5", "mmlu_own_2", "ceval_fewshot_5", "cmmlu_chatml_0"}) {
    const Json run = Json::parse(read_file(kGolden / (std::string(name) + ".json")));
    for (const int batch : {1, 4}) {
      fs::remove_all(out());
      Json settings = run["settings"];
      settings["batch_size"] = batch;
      std::vector<LetterLogprobs> found;
      Monitor monitor;
      const auto scores = evaluate_multiple_choice(spec(settings, run["context"]), monitor,
                                                   [&](const LetterLogprobs& one) { found.push_back(one); });
      ASSERT_TRUE(scores);
      EXPECT_EQ(scores->table(), run["table"]) << name;
      EXPECT_EQ(read_file(out() / "results.log"), run["table"]) << name;
      EXPECT_EQ(read_file(out() / "results.json"), run["letters"].dump(2)) << name;
      ASSERT_EQ(found.size(), run["logprobs"].size()) << name;
      for (size_t i = 0; i < found.size(); ++i)
        for (size_t letter = 0; letter < kLetters.size(); ++letter)
          EXPECT_NEAR(found[i][letter], run["logprobs"][i][letter].get<double>(), 1e-3)
              << name << ", batch " << batch << ", question " << i << ", " << kLetters[letter];
      EXPECT_THAT(monitor.warnings, testing::IsEmpty());
    }
  }
}

TEST_F(MultipleChoice, LeavesItsCountsLast) {
  Monitor monitor;
  const auto scores = evaluate_multiple_choice(spec(plain()), monitor);
  ASSERT_TRUE(scores);
  EXPECT_EQ(monitor.done, 23);
  EXPECT_EQ(monitor.questions, 23);
  const Json results = Json::parse(read_file(out() / kMultipleChoiceResults));
  const Json& average = results["categories"]["Average"];
  EXPECT_EQ(average["questions"], 23);
  EXPECT_NEAR(average["accuracy"].get<double>(), 100.0 * average["correct"].get<double>() / 23, 1e-9);
  EXPECT_EQ(results["subjects"]["things"]["category"], "Humanities");
  EXPECT_EQ(results["subjects"]["things"]["questions"], 10);
  EXPECT_EQ(results["subjects"]["things"]["accuracy"], results["categories"]["Humanities"]["accuracy"]);
  EXPECT_EQ(ChoiceScores::load(out()).percents(), scores->percents());
  EXPECT_EQ(ChoiceScores::load(out()).table(), scores->table());

  EXPECT_EQ(test::error_of([&] { evaluate_multiple_choice(spec(plain()), monitor); }),
            "save_dir: " + out().string() + " has the results of an evaluation (eval_results.json); choose another");
  write_file_atomic(out() / kMultipleChoiceResults, R"({"eval_loss": 1.5})");
  EXPECT_THAT(test::error_of([&] { ChoiceScores::load(out()); }), HasSubstr("is no result of a multiple-choice"));
}

TEST_F(MultipleChoice, NothingIsKeptOfAnUnfinishedOne) {
  Monitor stops;
  stops.stop_after = 5;
  EXPECT_FALSE(evaluate_multiple_choice(spec(plain()), stops));
  EXPECT_FALSE(fs::exists(out() / "results.json"));
  Monitor again;
  EXPECT_TRUE(evaluate_multiple_choice(spec(plain()), again));
}

TEST_F(MultipleChoice, AnArchiveIsAsItsFiles) {
  const fs::path files = kGolden / "evaluation/mmlu", task = directory_.path() / "evaluation/mmlu";
  std::vector<test::zip_image::Entry> entries;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(files / "data"))
    if (file.is_regular_file()) entries.push_back({file.path().lexically_relative(files), read_file(file.path())});
  for (size_t i = 0; i < entries.size(); i += 2) entries[i] = test::zip_image::deflated(entries[i]);
  entries.push_back({"../../evil.csv", "x"});  // a name like any other: nothing is unpacked
  write_file_atomic(task / "mmlu.zip", test::zip_image::zip(entries));
  fs::copy(files / "mapping.json", task / "mapping.json");
  Json settings = plain();
  settings["task_dir"] = task.parent_path().string();
  Monitor monitor;
  const auto scores = evaluate_multiple_choice(spec(settings), monitor);
  ASSERT_TRUE(scores);
  EXPECT_EQ(scores->table(), Json::parse(read_file(kGolden / "mmlu_fewshot_0.json"))["table"]);
}

TEST_F(MultipleChoice, AContextTooSmallTakesFewerShots) {
  Json settings = plain();
  settings["n_shot"] = 5;
  Monitor monitor;
  EXPECT_TRUE(evaluate_multiple_choice(spec(settings, /*context=*/256), monitor));
  ASSERT_EQ(monitor.warnings.size(), 1u);
  EXPECT_THAT(monitor.warnings.front(),
              HasSubstr("have fewer than 5 shots before them, so that they fit the model's 256"));
  fs::remove_all(out());
  EXPECT_EQ(test::error_of([&] { evaluate_multiple_choice(spec(settings, /*context=*/64), monitor); }),
            (kGolden / "evaluation/mmlu/data/test/arithmetic_test.csv").string() +
                ", row 1: a prompt of 105 tokens, and the model has room for 63: it needs a longer context");
}

// Each letter a token; one that is none becomes token 0.
struct Letters : test::ListTokenizer {
  using ListTokenizer::ListTokenizer;
  std::vector<TokenId> encode(std::string_view text, const EncodeOptions&) const override {
    for (TokenId id = 0; id < vocab_size(); ++id)
      if (token_bytes(id) == text) return {0, id};
    return {0};
  }
};

TEST(LetterTokens, AreTheLastOnesOfTheLetters) {
  const Letters sound({"x", "D", "C", "B", "A"});
  EXPECT_THAT(letter_tokens(sound), testing::ElementsAre(4, 3, 2, 1));
  const Letters lacks({"x", "A", "B", "C"});
  EXPECT_THAT(test::error_of([&] { letter_tokens(lacks); }), HasSubstr("the letter D is no token"));
}

}  // namespace
}  // namespace hearth
