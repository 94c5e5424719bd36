#include "server/fine_tuning/job_spec.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "server/api_error.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr int kRank = 16;
constexpr double kLearningRate = 2e-4, kDpoLearningRate = 5e-5, kWarmup = 0.1, kBeta = 0.1;
constexpr int kMaxLength = 2048;  // unless it is asked for: memory and time grow with it
constexpr int kMaxInBatch = 4;    // side by side; the rest of a batch is accumulated
constexpr int64_t kMaxBetweenCheckpoints = 100;
constexpr int kKeptCheckpoints = 3;

// https://cookbook.openai.com/examples/chat_finetuning_data_prep
int default_epochs(int64_t examples) {
  constexpr int64_t kEpochs = 3, kMostEpochs = 25, kFewest = 100, kMost = 25'000;
  if (examples * kEpochs < kFewest) return static_cast<int>(std::clamp(kFewest / examples, int64_t{1}, kMostEpochs));
  if (examples * kEpochs > kMost) return static_cast<int>(std::max(kMost / examples, int64_t{1}));
  return kEpochs;
}

int default_batch_size(int64_t examples) {
  return static_cast<int>(std::clamp(examples / 500, int64_t{1}, int64_t{256}));
}

void set_batches(const FineTuningRequest& request, int64_t examples, TrainingSpec& training) {
  const TuningHyperparameters& asked = request.hyperparameters;
  const int batch = asked.batch_size.value_or(default_batch_size(examples));
  int side_by_side = std::min(kMaxInBatch, batch);
  while (batch % side_by_side != 0) --side_by_side;
  training.per_device_train_batch_size = training.per_device_eval_batch_size = side_by_side;
  training.gradient_accumulation_steps = batch / side_by_side;
  training.num_train_epochs = asked.n_epochs.value_or(default_epochs(examples));
  if (request.hearth.max_steps) training.max_steps = *request.hearth.max_steps;
}

// Epochs end with one; long ones are cut in equal parts.
int64_t steps_between_checkpoints(int64_t examples, int batch) {
  const int64_t epoch = std::max<int64_t>(1, (examples + batch - 1) / batch);
  const int64_t parts = (epoch + kMaxBetweenCheckpoints - 1) / kMaxBetweenCheckpoints;
  return (epoch + parts - 1) / parts;
}

void set_training(const FineTuningRequest& request, const TuningData& data, TrainSpec& spec) {
  TrainingSpec& training = spec.training;
  const TuningExtensions& own = request.hearth;
  training.do_train = true;
  set_batches(request, data.examples, training);
  const double rate = own.learning_rate.value_or(spec.stage == Stage::kDpo ? kDpoLearningRate : kLearningRate);
  training.learning_rate = rate * request.hyperparameters.learning_rate_multiplier.value_or(1);
  training.lr_scheduler_type = SchedulerType::kCosine;
  training.warmup_ratio = own.warmup.value_or(kWarmup);
  training.bf16 = own.bf16.value_or(true);
  training.seed = *request.seed;
  training.logging_steps = 1;
  training.include_num_input_tokens_seen = true;  // trained_tokens
  training.save_steps = static_cast<double>(
      own.save_steps ? *own.save_steps
                     : steps_between_checkpoints(
                           data.examples, training.per_device_train_batch_size * training.gradient_accumulation_steps));
  training.save_total_limit = kKeptCheckpoints;
  if (!data.has_validation) return;
  training.do_eval = true;
  training.eval_strategy = Interval::kSteps;
  training.eval_steps = training.save_steps;
  training.compute_accuracy = spec.stage == Stage::kSft;
}

void set_lora(const TuningExtensions& own, const TuningBase& base, TrainSpec& spec) {
  if (base.adapter) {
    for (const auto& [name, given] :
         {std::pair("lora_rank", own.lora_rank.has_value()), std::pair("alpha", own.alpha.has_value()),
          std::pair("target_modules", !own.target_modules.empty())})
      if (given)
        throw invalid_field(fmt::format("hearth.{}", name),
                            fmt::format("'hearth.{}': training goes on with the adapter of '{}', whose own it is", name,
                                        base.adapter->filename().string()));
    spec.adapter_name_or_path = {base.adapter->string()};
    // What is learnt is how to differ from the model that was asked for, not from its base.
    if (spec.stage == Stage::kDpo) spec.preference.ref_model_adapters = spec.adapter_name_or_path;
  }
  spec.lora.rank = own.lora_rank.value_or(kRank);
  spec.lora.alpha = own.alpha.value_or(2 * spec.lora.rank);
  spec.lora.dropout = static_cast<float>(own.dropout.value_or(0));
  if (!own.target_modules.empty()) spec.lora.target = own.target_modules;
}

int max_length(const FineTuningRequest& request, const TuningBase& base) {
  const std::optional<int>& asked = request.hearth.max_seq_len;
  if (asked && base.max_context > 0 && *asked > base.max_context)
    throw invalid_field("hearth.max_seq_len", fmt::format("'hearth.max_seq_len': {} is above the context of '{}', {}",
                                                          *asked, request.model, base.max_context));
  if (asked) return *asked;
  return base.max_context > 0 ? std::min(base.max_context, kMaxLength) : kMaxLength;
}

}  // namespace

TrainSpec tuning_spec(const FineTuningRequest& request, const TuningBase& base, const TuningData& data,
                      const fs::path& job_directory) {
  TrainSpec spec;
  spec.model_name_or_path = base.path.string();
  spec.chat = base.chat;
  // Texts and not messages: what /v1/completions sends is what was learnt.
  if (data.lines == TrainingLines::kCompletion) spec.chat = {.template_name = "empty"};
  spec.stage = request.method == TuningMethod::kDpo ? Stage::kDpo : Stage::kSft;
  spec.preference.beta = request.hyperparameters.beta.value_or(kBeta);
  set_lora(request.hearth, base, spec);
  spec.data.dataset = {"train"};
  if (data.has_validation) spec.data.eval_dataset = {"validation"};
  spec.data.dataset_dir = job_directory / "data";
  spec.data.cutoff_len = max_length(request, base);
  if (request.hearth.packing) spec.data.packing = request.hearth.packing;
  set_training(request, data, spec);
  spec.training.output_dir = job_directory / "output";
  return spec;
}

std::string tuning_dataset_info(const TuningData& data) {
  JobJson entry;
  switch (data.lines) {
    case TrainingLines::kChat:
      entry["formatting"] = "openai_chat";
      break;
    case TrainingLines::kPreference:
      entry["formatting"] = "openai";
      entry["ranking"] = true;
      break;
    case TrainingLines::kCompletion:
      entry["formatting"] = "trl";
      break;
  }
  JobJson info;
  entry["file_name"] = "train.jsonl";
  info["train"] = entry;
  entry["file_name"] = "validation.jsonl";
  if (data.has_validation) info["validation"] = entry;
  return info.dump(2) + "\n";
}

JobJson kept_request(const FineTuningRequest& request, const TuningBase& base, const TrainSpec& spec) {
  const TrainingSpec& training = spec.training;
  JobJson numbers;
  numbers["n_epochs"] = static_cast<int64_t>(training.num_train_epochs);
  numbers["batch_size"] = int64_t{training.per_device_train_batch_size} * training.gradient_accumulation_steps;
  numbers["learning_rate_multiplier"] = request.hyperparameters.learning_rate_multiplier.value_or(1);
  if (request.method == TuningMethod::kDpo) numbers["beta"] = spec.preference.beta;
  JobJson kept;
  kept["model"] = request.model;
  kept["base"] = base.id;
  kept["training_file"] = request.training_file;
  kept["validation_file"] = request.validation_file ? JobJson(*request.validation_file) : JobJson();
  kept["suffix"] = request.suffix.value_or("");
  kept["seed"] = training.seed;
  kept["metadata"] = request.metadata;
  kept["method"] = to_string(request.method);
  kept["hyperparameters"] = std::move(numbers);
  return kept;
}

}  // namespace hearth
