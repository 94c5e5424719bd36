// /v1/fine_tuning/jobs on top of the queue: a request becomes a job with its data in its own directory, is checked line
// by line before it is queued, and becomes a model when it has trained. Thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/fine_tuning/finished_job.h"
#include "server/fine_tuning/job_spec.h"
#include "server/jobs/job_store.h"

namespace hearth {

// What fine-tuning needs of the rest of the daemon.
struct FineTuningTools : FinishedJobTools {
  // The model that a request names. Throws a 404 for one that is not served, a 400 for one that is not trained.
  std::function<TuningBase(const std::string& model)> base;
  // Of an uploaded file. Both throw kNotFound.
  std::function<std::string(const std::string& file)> purpose_of;
  std::function<void(const std::string& file, const std::filesystem::path& path)> link_file;
};

// How a request came.
struct Submission {
  std::optional<std::string> owner = {};            // the key that it came with
  std::optional<std::string> idempotency_key = {};  // a second one with it is the first one's job
  bool is_retry = false;  // the client's library sends it again: the same body is the same job
};

class FineTuning {
 public:
  // `jobs`: the directory of the jobs' directories. `store` outlives it.
  FineTuning(JobStore& store, std::filesystem::path jobs, FineTuningTools tools);

  Job create(std::string_view body, const Submission& submission);
  // A fine-tuning job. Throws a 404.
  Job get(std::string_view id);
  JobStore& store() { return store_; }
  // Of the checkpoints that are still there, newest first; at most `limit`.
  std::vector<JobCheckpoint> checkpoints(std::string_view id, const std::optional<std::string>& after, int limit);

  // What the runner calls (JobHooks); jobs of other routes go through unchanged.
  // null, or the error of the first file that cannot be trained on, {code, message, param}.
  JobJson validate(const Job& job);
  JobJson finish(const Job& job, const JobJson& finished);

  // Attaches the checkpoint that is called so; nothing for other names, and for one that is attached already.
  void serve_checkpoint(std::string_view model);
  // A model that is about to be deleted, of a job or of a checkpoint: its files go.
  void forget(const std::string& model);

 private:
  std::optional<Job> job_of_retry(const std::string& fingerprint, const Submission& submission);
  void check_file(const std::string& file, const char* param);
  NewJob prepare(const FineTuningRequest& request, const TuningBase& base, const std::filesystem::path& directory);

  JobStore& store_;
  const std::filesystem::path jobs_;
  const FineTuningTools tools_;
  std::mutex creates_;  // a retry waits for the request that it repeats
};

}  // namespace hearth
