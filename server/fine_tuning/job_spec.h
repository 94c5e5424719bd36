// A fine-tuning request as a job of the queue: a training YAML with a number in place of every "auto", the data in the
// job's own directory, and what the API says of the job later on.
//
// What hearth chooses: LoRA of rank 16, alpha 32, on all linear maps, which a CPU trains in bf16 (several times the
// speed where it has AMX, and half the memory of activations on every CPU; the adapter itself stays f32); learning
// rate 2e-4 (dpo: 5e-5) times the multiplier, with a tenth of warm-up and a cosine down; one example in 500 a batch;
// three epochs, more below 34 examples and fewer above 8,333, as OpenAI's cookbook estimates its own; a checkpoint and
// an evaluation at the end of each epoch, or every 100 steps where that is longer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "finetune/spec/train_spec.h"
#include "models/loader.h"
#include "server/fine_tuning/check_training_file.h"
#include "server/fine_tuning/request.h"
#include "server/jobs/job.h"

namespace hearth {

// The model that a job starts from.
struct TuningBase {
  std::string id;                                     // as it is served
  std::filesystem::path path;                         // of the model's files
  ChatOptions chat = {};                              // what it is served with
  int max_context = 0;                                // 0: not known
  std::optional<std::filesystem::path> adapter = {};  // training goes on with it: of a model that was fine-tuned before
};

// What the job's directory holds of its data (data/train.jsonl, data/validation.jsonl).
struct TuningData {
  TrainingLines lines = TrainingLines::kChat;
  int64_t examples = 0;
  bool has_validation = false;
};

inline constexpr std::string_view kTuningPrefix = "ftjob-", kOrganization = "local";

// All that was left to hearth decided. Throws a 400 for extensions that the base does not go with.
TrainSpec tuning_spec(const FineTuningRequest& request, const TuningBase& base, const TuningData& data,
                      const std::filesystem::path& job_directory);

// dataset_info.json of the job's data directory.
std::string tuning_dataset_info(const TuningData& data);

// What the API keeps of a request: its own fields, with the numbers of `spec`.
JobJson kept_request(const FineTuningRequest& request, const TuningBase& base, const TrainSpec& spec);

}  // namespace hearth
