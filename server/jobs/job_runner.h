// Takes jobs off the queue and sees them to their end: starts workers, takes in what they tell, passes on what is asked
// of them, and puts back what a crash cut off. One thread of its own, which alone changes running jobs.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "server/jobs/executor.h"
#include "server/jobs/job_store.h"

namespace hearth {

struct RunnerOptions {
  int max_jobs = 1;                       // at once
  bool in_background = true;              // workers leave the CPUs to everybody else
  std::chrono::milliseconds tick{200};    // how soon a worker's news are seen
  std::chrono::seconds lease{60};         // a worker that was not heard of for so long is ended
  std::chrono::seconds stop_timeout{20};  // from the daemon's end, or a cancel, to a worker's
  int most_crashes = 10;                  // in a row, without a step between; then the job has failed
  std::chrono::hours retention{0};        // of jobs that ended; 0: for ever
};

// What the parts of the daemon do with jobs. Each may be empty; what they throw fails the job.
struct JobHooks {
  // Of a job that is validating, on a thread of its own: null, or the error {code, message, param}.
  std::function<JobJson(const Job& job)> validate;
  // When a job's worker has finished, before anybody sees that it succeeded. -> the job's result, of the worker's.
  std::function<JobJson(const Job& job, const JobJson& finished)> succeeded;
};

class JobRunner {
 public:
  // `jobs`: the directory of the jobs' directories. All outlive it.
  JobRunner(JobStore& store, std::filesystem::path jobs, Executor& executor, RunnerOptions options, JobHooks hooks);
  ~JobRunner();  // stop()
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // What an earlier daemon left running goes on first.
  void start();
  // Children save and end, within stop_timeout, and go on with the next daemon. Thread-safe.
  void stop();

  // The directory of a job.
  JobDirectory directory_of(const std::string& id) const { return JobDirectory::of(jobs_, id); }

 private:
  class Loop;
  JobStore& store_;
  const std::filesystem::path jobs_;
  Executor& executor_;
  const RunnerOptions options_;
  const JobHooks hooks_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace hearth
