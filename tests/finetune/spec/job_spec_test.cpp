#include "finetune/spec/job_spec.h"

#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/spec/load_train_spec.h"
#include "models/resolver.h"
#include "runtime/base/file.h"
#include "tests/support/error_of.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kModel = "model_name_or_path: m\n";
const std::string kChoice = kModel + "task: mmlu_test\n";

TEST(JobSpec, TellsTheKindsApart) {
  const std::string training = kModel + "output_dir: saves\ndataset: d\n", held_out = training + "val_size: 0.1\n";
  const std::pair<std::string, std::string_view> cases[] = {
      {training + "do_train: true\n", kTrainJob},
      {held_out + "do_train: true\ndo_eval: true\ndo_predict: true\npredict_with_generate: true\n", kTrainJob},
      {held_out + "do_predict: true\npredict_with_generate: true\ndo_eval: true\n", kPredictJob},
      {held_out + "do_eval: true\n", kEvalJob},
      {kChoice + "save_dir: out\n", kEvalJob},
      {kChoice + "output_dir: out\n", kEvalJob},
      {kModel + "export_dir: out\n", kExportJob},
      {training + "do_train: true\nexport_dir: out\n", kTrainJob}};
  for (const auto& [yaml, kind] : cases) {
    const JobSpec spec = parse_job_spec(yaml, "job.yaml");
    EXPECT_EQ(kind_of(spec), kind) << yaml;
    const JobSpec again = parse_job_spec(to_yaml(spec), "job.yaml");
    EXPECT_EQ(kind_of(again), kind) << yaml;
    EXPECT_EQ(to_yaml(again), to_yaml(spec)) << yaml;
  }
  const std::vector<std::string> overrides = {"task=ceval_validation"};
  EXPECT_TRUE(std::holds_alternative<MultipleChoiceSpec>(parse_job_spec(kModel, "job.yaml", overrides)));
}

TEST(JobSpec, KnowsWhereAJobWrites) {
  const auto output = [](const std::string& yaml) {
    const JobOutput found = output_of(yaml, "job");
    return std::string(found.key) + ": " + found.directory.string();
  };
  EXPECT_EQ(output(kModel + "output_dir: a\nexport_dir: b\n"), "output_dir: a");
  EXPECT_EQ(output(kModel + "export_dir: b\nof_an_earlier_version: 1\n"), "export_dir: b");
  EXPECT_EQ(output(kChoice + "save_dir: c\n"), "save_dir: c");
  EXPECT_EQ(output(kChoice), "save_dir: ");
}

TEST(JobSpec, TheExamplesAreRead) {
  std::map<std::string, int> kinds;
  for (const auto& file : std::filesystem::recursive_directory_iterator("examples")) {
    if (file.path().extension() != ".yaml") continue;
    const JobSpec spec = load_job_spec(file.path());
    EXPECT_THAT(warnings_of(spec), testing::IsEmpty()) << file.path();
    const std::string model = std::visit([](const auto& one) { return one.model_name_or_path; }, spec);
    if (file.path().parent_path().filename() == "shapes")
      EXPECT_THAT(model, testing::StartsWith("shapes/")) << file.path();  // which the example makes
    else
      EXPECT_EQ(model, kDefaultModel) << file.path();
    ++kinds[std::string(kind_of(spec))];
  }
  EXPECT_THAT(kinds, testing::UnorderedElementsAre(testing::Pair("train", 7), testing::Pair("predict", 2),
                                                   testing::Pair("eval", 1), testing::Pair("export", 1)));
}

TEST(MultipleChoiceSpec, ReadsLlamaFactorysKeys) {
  const MultipleChoiceSpec plain = parse_multiple_choice_spec(kChoice, "e.yaml");
  EXPECT_EQ(plain.task_dir, "evaluation");
  EXPECT_EQ(plain.n_shot, 5);
  EXPECT_EQ(plain.batch_size, 4);
  EXPECT_EQ(plain.seed, 42);
  EXPECT_EQ(plain.lang, QuestionLanguage::kEnglish);
  EXPECT_EQ(plain.save_dir, "");
  const nlohmann::json reference = nlohmann::json::parse(read_file("tests/golden/llamafactory/keys.json"));
  for (const auto& [key, value] : reference["evaluation_keys"].items()) {
    if (key == "task") continue;
    const std::string yaml = kChoice + key + ": " + value["default"].dump() + "\n";
    MultipleChoiceSpec same = parse_multiple_choice_spec(yaml, "e.yaml");
    EXPECT_EQ(std::tie(same.task_dir, same.n_shot, same.batch_size, same.seed, same.lang, same.save_dir),
              std::tie(plain.task_dir, plain.n_shot, plain.batch_size, plain.seed, plain.lang, plain.save_dir))
        << key;
  }
  const MultipleChoiceSpec spec = parse_multiple_choice_spec(
      "model_name_or_path: m\nadapter_name_or_path: a, b\nfinetuning_type: lora\ntemplate: fewshot\n"
      "trust_remote_code: true\ntask: my_own_validation\ntask_dir: t\nlang: zh\nn_shot: 0\nbatch_size: 8\nseed: 3\n"
      "save_dir: s\ninfer_dtype: float32\nflash_attn: fa2\ndownload_mode: reuse_dataset_if_exists\n",
      "e.yaml");
  EXPECT_THAT(spec.adapter_name_or_path, ElementsAre("a", "b"));
  EXPECT_EQ(spec.chat.template_name, "fewshot");
  EXPECT_EQ(spec.task_name(), "my_own");
  EXPECT_EQ(spec.task_split(), "validation");
  EXPECT_EQ(spec.lang, QuestionLanguage::kChinese);
  EXPECT_EQ(spec.n_shot, 0);
  EXPECT_EQ(spec.infer_dtype, ComputeDtype::kFloat32);
  EXPECT_THAT(spec.warnings, ElementsAre(HasSubstr("without effect on a CPU: flash_attn")));
}

TEST(MultipleChoiceSpec, RefusesWhatItCannotDo) {
  const auto refusal = [](const std::string& yaml) {
    return test::error_of([&] { parse_multiple_choice_spec(yaml, "e.yaml"); });
  };
  EXPECT_EQ(refusal("task: mmlu_test\n"), "e.yaml: lacks 'model_name_or_path'");
  EXPECT_EQ(refusal(kModel), "e.yaml: lacks 'task'");
  EXPECT_THAT(refusal(kModel + "task: mmlu_tset\n"),
              HasSubstr("'task' is 'mmlu_tset' (did you mean 'test'?), must be a folder of task_dir and a split"));
  for (const char* task : {"mmlu", "_test", "../mmlu_test", "a/b_test", "..\\x_test"})
    EXPECT_THAT(refusal(kModel + "task: " + task + "\n"), HasSubstr("must be a folder of task_dir and a split"))
        << task;
  EXPECT_THAT(refusal(kChoice + "n_shot: -1\n"), HasSubstr("e.yaml:3: 'n_shot' is -1, must be from 0"));
  EXPECT_THAT(refusal(kChoice + "lang: de\n"), HasSubstr("must be one of en, zh"));
  EXPECT_THAT(refusal(kChoice + "n_shots: 1\n"), HasSubstr("did you mean 'n_shot'?"));
  EXPECT_THAT(refusal(kChoice + "quantization_bit: 4\n"), HasSubstr("name a quantised GGUF file"));
}

TEST(MultipleChoiceSpec, ItsKeysAreOfNoTraining) {
  const auto refusal = [](const std::string& more) {
    return test::error_of([&] { parse_train_spec("model_name_or_path: m\n" + more, "t.yaml"); });
  };
  EXPECT_THAT(refusal("task: mmlu_test\n"), HasSubstr("use hearth eval"));
  EXPECT_THAT(refusal("batch_size: 4\n"), HasSubstr("use per_device_train_batch_size"));
}

}  // namespace
}  // namespace hearth
