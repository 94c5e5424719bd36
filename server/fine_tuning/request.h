// The body of POST /v1/fine_tuning/jobs as a struct, checked. null is absent and unknown fields are ignored, but for
// `hearth`, whose fields are ours: there a name that is none is refused. Source: OpenAI's API reference, "Create
// fine-tuning job"; ../shared/reference/openai-http.md 2.8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/json_reader.h"

namespace hearth {

enum class TuningMethod { kSupervised, kDpo };
std::string_view to_string(TuningMethod method);  // "supervised", "dpo"

// What "auto", or nothing, leaves to hearth is absent.
struct TuningHyperparameters {
  std::optional<int> n_epochs, batch_size;  // 1 to 50, 1 to 256
  std::optional<double> learning_rate_multiplier;
  std::optional<double> beta;  // of dpo
};

// hearth's own, under `hearth`.
struct TuningExtensions {
  std::optional<int> lora_rank, alpha, max_seq_len, max_steps, save_steps;
  std::optional<double> dropout, learning_rate, warmup;  // warmup: a part of all steps
  std::vector<std::string> target_modules;
  std::optional<bool> packing, bf16;
};

struct FineTuningRequest {
  std::string model, training_file;
  std::optional<std::string> validation_file, suffix;
  std::optional<int64_t> seed;
  nlohmann::ordered_json metadata;  // an object of strings, or null
  TuningMethod method = TuningMethod::kSupervised;
  TuningHyperparameters hyperparameters;
  TuningExtensions hearth;
};

// Throws a 400 with the field's path.
FineTuningRequest read_fine_tuning_request(const JsonReader& body);

}  // namespace hearth
