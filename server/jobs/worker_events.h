// The lines of worker-N.jsonl: what a worker tells of its job while it runs. Each is an object with "type" and "at"
// (unix milliseconds).
//   message     level, message
//   progress    phase, step, total_steps, epoch, loss, tokens_per_second, seconds_left; about one a second. While
//               predicting a step is an answer, and there are no epoch and loss
//   metrics     step, total_steps, data: a record of the training log
//   checkpoint  step, path, metrics
//   end         outcome: finished | stopped | failed; finished has result, failed has code and message
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/append_file.h"
#include "server/jobs/job_store.h"

namespace hearth {

// What a job is doing, in its progress.
inline constexpr std::string_view kPreparing = "preparing", kTraining = "training", kEvaluating = "evaluating",
                                  kPredicting = "predicting";

// Written by the worker. Throws kUnavailable (disk full).
class WorkerEvents {
 public:
  explicit WorkerEvents(std::filesystem::path file) : file_(std::move(file)) {}

  void message(std::string_view level, const std::string& text);
  void progress(JobJson progress);
  void metrics(int64_t step, int64_t total_steps, const JobJson& record);
  void checkpoint(int64_t step, const std::filesystem::path& path, const JobJson& metrics);
  void finished(const JobJson& result);
  void stopped();
  void failed(std::string_view code, const std::string& message);

 private:
  void write(JobJson line);
  AppendFile file_;
};

struct WorkerEnd {
  enum class Outcome { kFinished, kStopped, kFailed };
  Outcome outcome;
  JobJson result;             // kFinished
  std::string code, message;  // kFailed
};

// Read by the daemon.
struct WorkerReading {
  WorkerNews news;  // of the whole lines from where it was read on
  std::optional<WorkerEnd> end;
};

// Lines that are none of the above are skipped: a newer worker may have more to say. A missing file is an empty one.
WorkerReading read_worker_events(const std::filesystem::path& file, int64_t from);

}  // namespace hearth
