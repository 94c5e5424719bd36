// The fields of a fine-tuning request and their ranges; and the training job that it becomes.
#include "server/fine_tuning/request.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "server/api_error.h"
#include "server/fine_tuning/job_spec.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Beside model and training_file, which all need.
std::string body_with(const std::string& fields) {
  return R"({"model": "base", "training_file": "file-1")" + (fields.empty() ? "" : ", " + fields) + "}";
}

FineTuningRequest read(const std::string& body) {
  const nlohmann::ordered_json json = parse_json(body);
  return read_fine_tuning_request(JsonReader(json));
}

// "param: code: message" of the 400.
std::string refusal(const std::string& body) {
  try {
    read(body);
  } catch (const ApiError& error) {
    const nlohmann::ordered_json object = error_object(error)["error"];
    return fmt::format("{}: {}: {}", object["param"].dump(), object["code"].dump(), error.what());
  }
  return "";
}

TEST(FineTuningRequest, EveryFieldIsRead) {
  const FineTuningRequest request = read(R"({"model": "base", "training_file": "file-1", "validation_file": "file-2",
      "suffix": "my-model_1.0", "seed": 7.0, "metadata": {"a": "b"}, "integrations": [], "unknown": 1,
      "method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "batch_size": 256,
        "learning_rate_multiplier": 0.5, "beta": 2}}, "supervised": null},
      "hearth": {"lora_rank": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["q_proj", "v_proj"], "max_seq_len": 64,
        "learning_rate": 0.001, "warmup": 0, "packing": false, "bf16": false, "max_steps": 3, "save_steps": null}})");
  EXPECT_EQ(request.validation_file, "file-2");
  EXPECT_EQ(request.suffix, "my-model_1.0");
  EXPECT_EQ(request.seed, 7);
  EXPECT_EQ(request.metadata.dump(), R"({"a":"b"})");
  EXPECT_EQ(request.method, TuningMethod::kDpo);
  EXPECT_EQ(request.hyperparameters.n_epochs, 2);
  EXPECT_EQ(request.hyperparameters.batch_size, 256);
  EXPECT_EQ(request.hyperparameters.learning_rate_multiplier, 0.5);
  EXPECT_EQ(request.hyperparameters.beta, 2);
  EXPECT_EQ(request.hearth.lora_rank, 4);
  EXPECT_THAT(request.hearth.target_modules, ElementsAre("q_proj", "v_proj"));
  EXPECT_EQ(request.hearth.warmup, 0);
  EXPECT_EQ(request.hearth.bf16, false);
  EXPECT_FALSE(request.hearth.save_steps);
}

TEST(FineTuningRequest, NullAndAutoAreAbsent) {
  for (
      const char* fields :
      {"",
       R"("validation_file": null, "suffix": null, "seed": null, "metadata": null, "integrations": null, "method": null,
               "hyperparameters": null, "hearth": null)",
       R"("hyperparameters": {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"})",
       R"("method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto", "batch_size": null}}})"}) {
    const FineTuningRequest request = read(body_with(fields));
    EXPECT_FALSE(request.validation_file || request.suffix || request.seed || request.hyperparameters.n_epochs ||
                 request.hyperparameters.batch_size || request.hyperparameters.learning_rate_multiplier)
        << fields;
    EXPECT_TRUE(request.metadata.is_null());
    EXPECT_EQ(request.method, TuningMethod::kSupervised);
  }
  EXPECT_EQ(read(body_with(R"("hyperparameters": {"n_epochs": 4})")).hyperparameters.n_epochs, 4);
}

TEST(FineTuningRequest, WhatCannotBeIsRefusedByItsPath) {
  const struct {
    std::string body;
    const char* refusal;
  } cases[] = {
      {"[]", R"(null: "invalid_value")"},
      {"{}", R"("model": "missing_required_parameter")"},
      {R"({"model": "base"})", R"("training_file": "missing_required_parameter")"},
      {R"({"model": 7, "training_file": "f"})", R"("model": "invalid_value")"},
      {R"({"model": "base", "training_file": ""})", R"("training_file": "invalid_value")"},
      {body_with(R"("seed": -1)"), R"("seed": "invalid_value": 'seed': -1 is not in [0, 2147483647])"},
      {body_with(R"("seed": 2147483648)"), R"("seed": "invalid_value")"},
      {body_with(R"("suffix": "")"), R"("suffix": "invalid_value": 'suffix': must have 1 to 64)"},
      {body_with(R"("suffix": ")" + std::string(65, 'a') + R"(")"), "found 65"},
      {body_with(R"("suffix": "a:b")"), "must be of letters, digits"},
      {body_with(R"("metadata": {"a": 1})"), R"("metadata.a": "invalid_value")"},
      {body_with(R"("integrations": [{"type": "wandb", "wandb": {"project": "p"}}])"),
       R"("integrations": "unsupported_parameter")"},
      {body_with(R"("method": {"type": "reinforcement"})"), R"("method.type": "unsupported_parameter")"},
      {body_with(R"("method": {"type": "dbo"})"), "there are supervised and dpo"},
      {body_with(R"("method": {})"), R"("method.type": "missing_required_parameter")"},
      {body_with(R"("hyperparameters": {"n_epochs": 0})"), R"("hyperparameters.n_epochs": "invalid_value")"},
      {body_with(R"("hyperparameters": {"n_epochs": 51})"), "51 is not in [1, 50]"},
      {body_with(R"("hyperparameters": {"n_epochs": "many"})"), "'many' is neither a number nor 'auto'"},
      {body_with(R"("hyperparameters": {"batch_size": 257})"), "257 is not in [1, 256]"},
      {body_with(R"("hyperparameters": {"learning_rate_multiplier": 0})"), "must be above 0"},
      {body_with(R"("hyperparameters": {}, "method": {"type": "supervised"})"), "'method.supervised.hyperparameters'"},
      {body_with(R"("method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.1}}})"),
       R"("method.dpo.hyperparameters.beta": "invalid_value")"},
      {body_with(R"("hearth": {"lora_rnak": 8})"),
       R"("hearth.lora_rnak": "invalid_value": 'hearth.lora_rnak': is no option of hearth (did you mean 'lora_rank'?))"},
      {body_with(R"("hearth": {"lora_rank": 0})"), "0 is not in [1, 1024]"},
      {body_with(R"("hearth": {"quantize_base": true})"), R"("hearth.quantize_base": "unsupported_parameter")"},
      {body_with(R"("hearth": {"target_modules": []})"), "must name 1 to"},
      {body_with(R"("hearth": {"target_modules": ["q_proj,v_proj"]})"), "no commas"},
      {body_with(R"("hearth": {"packing": true}, "method": {"type": "dpo"})"), "pairs of answers are not packed"},
  };
  for (const auto& c : cases) EXPECT_THAT(refusal(c.body), HasSubstr(c.refusal)) << c.body;
}

const TuningBase kBase{.id = "base", .path = "/models/base.gguf", .max_context = 4096};

TrainSpec spec_of(const std::string& fields, const TuningData& data, const TuningBase& base = kBase) {
  FineTuningRequest request = read(body_with(fields));
  request.seed = request.seed.value_or(1);
  return tuning_spec(request, base, data, "/state/jobs/ftjob-1");
}

TEST(TuningSpec, IsATrainingYamlThatReadsBackAsTheSameJob) {
  for (const TuningData& data : {TuningData{.lines = TrainingLines::kChat, .examples = 12, .has_validation = true},
                                 TuningData{.lines = TrainingLines::kCompletion, .examples = 12}}) {
    const TrainSpec spec = spec_of(R"("hearth": {"target_modules": ["q_proj", "v_proj"]})", data);
    const TrainSpec back = parse_train_spec(to_yaml(spec), "spec.yaml");
    EXPECT_THAT(differences(spec, back), testing::IsEmpty());
    EXPECT_EQ(back.training.output_dir, "/state/jobs/ftjob-1/output");
    EXPECT_EQ(back.data.dataset_dir, "/state/jobs/ftjob-1/data");
    EXPECT_EQ(back.chat.template_name, data.lines == TrainingLines::kCompletion ? "empty" : "");
    EXPECT_EQ(back.training.compute_accuracy, data.has_validation);
  }
  const TrainSpec dpo = spec_of(R"("method": {"type": "dpo"})",
                                {.lines = TrainingLines::kPreference, .examples = 12, .has_validation = true});
  EXPECT_EQ(parse_train_spec(to_yaml(dpo), "spec.yaml").stage, Stage::kDpo);
}

TEST(TuningSpec, NumbersThatAreLeftToHearth) {
  const struct {
    int64_t examples;
    int epochs, batch;
    double save_steps;
  } cases[] = {{1, 25, 1, 1},   {10, 10, 1, 10},   {34, 3, 1, 34},
               {250, 3, 1, 84}, {2000, 3, 4, 100}, {20'000, 1, 40, 100}};
  for (const auto& c : cases) {
    const TrainingSpec training = spec_of("", {.examples = c.examples}).training;
    EXPECT_EQ(training.num_train_epochs, c.epochs) << c.examples;
    EXPECT_EQ(training.per_device_train_batch_size * training.gradient_accumulation_steps, c.batch) << c.examples;
    EXPECT_EQ(training.save_steps, c.save_steps) << c.examples;
  }
  const TrainSpec spec = spec_of("", {.examples = 10});
  EXPECT_EQ(spec.data.cutoff_len, 2048);
  EXPECT_EQ(spec.lora.rank, 16);
  EXPECT_EQ(spec.lora.alpha, 32);
  EXPECT_DOUBLE_EQ(spec.training.learning_rate, 2e-4);
  EXPECT_DOUBLE_EQ(
      spec_of(R"("hyperparameters": {"learning_rate_multiplier": 3})", {.examples = 10}).training.learning_rate, 6e-4);
  // A batch of a prime size goes one by one.
  const TrainingSpec seven = spec_of(R"("hyperparameters": {"batch_size": 7})", {.examples = 10}).training;
  EXPECT_EQ(seven.per_device_train_batch_size, 1);
  EXPECT_EQ(seven.gradient_accumulation_steps, 7);
}

TEST(TuningSpec, GoesOnWithAnAdapter) {
  TuningBase tuned = kBase;
  tuned.adapter = "/state/jobs/ftjob-0/output";
  EXPECT_THAT(spec_of("", {.examples = 10}, tuned).adapter_name_or_path, ElementsAre("/state/jobs/ftjob-0/output"));
  EXPECT_THAT(spec_of(R"("method": {"type": "dpo"})", {.examples = 10}, tuned).preference.ref_model_adapters,
              ElementsAre("/state/jobs/ftjob-0/output"));
  EXPECT_THROW(spec_of(R"("hearth": {"lora_rank": 8})", {.examples = 10}, tuned), ApiError);
  EXPECT_THROW(spec_of(R"("hearth": {"max_seq_len": 4097})", {.examples = 10}), ApiError);
}

}  // namespace
}  // namespace hearth
