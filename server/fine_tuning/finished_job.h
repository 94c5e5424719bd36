// What becomes of a fine-tuning job that has trained: its adapter is checked and served under the model's name, and its
// losses are kept as a file. And which adapters the models of finished jobs and of their checkpoints are, for a daemon
// that starts and for requests that name them.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/jobs/job_store.h"

namespace hearth {

struct TunedModel {
  std::string id, base;           // ft:..., and the served model that it is an adapter of
  std::filesystem::path adapter;  // peft's directory
};

struct FinishedJobTools {
  // Serves it from now on, after a check that it fits. Throws where it does not.
  std::function<void(const TunedModel& model)> attach;
  // Adds a file of purpose fine-tune-results. -> its id
  std::function<std::string(const std::string& filename, const std::string& content)> add_result_file;
};

// The hook JobHooks::succeeded: -> the result with fine_tuned_model and result_files. Called again after a crash it
// gives the same name. Jobs of /v1/jobs stay as they are.
JobJson finish_fine_tuning(const Job& job, const JobJson& finished, JobStore& store, const FinishedJobTools& tools);

// "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy", a line a step, of those columns that the job's
// events have numbers for.
std::string result_csv(JobStore& store, const std::string& job);

// Of the jobs that have succeeded and whose adapters are still there.
std::vector<TunedModel> tuned_models(JobStore& store);

// Whether it is called "ft:...:ckpt-step-N".
bool is_checkpoint_model(std::string_view name);
// What such a name stands for; nothing for other names and for checkpoints that are not there any more.
std::optional<TunedModel> find_checkpoint_model(JobStore& store, std::string_view name);

}  // namespace hearth
