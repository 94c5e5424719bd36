// Where workers run. The runner asks; it never waits for an answer.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/jobs/job_directory.h"

namespace hearth {

// How a worker's process ended, for people: "exit code 1", "signal 9 (Killed)".
struct ProcessEnd {
  std::string what;
  bool never_began = false;  // and never will: nothing was started, which is not the job's fault
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Whether its new workers are children of this daemon (Attempt::is_child).
  virtual bool starts_children() const = 0;
  // Whether this one is, or was, the child of a daemon, and ends with it.
  virtual bool is_child(const JobJson&) const { return starts_children(); }
  // Starts `hearth worker DIRECTORY`. -> how it is found again, also by another daemon; kept in the job's row. It does
  // nothing before go(), which comes once the row is written. Throws kUnavailable.
  virtual JobJson start(const JobDirectory& directory, const Attempt& attempt) = 0;
  virtual void go(const JobJson& worker) = 0;
  // Asks it to save a checkpoint and end, which takes a step.
  virtual void stop(const JobJson& worker) = 0;
  virtual void kill(const JobJson& worker) = 0;
  // Nothing while it runs, or may run.
  virtual std::optional<ProcessEnd> ended(const JobJson& worker) = 0;
  // Whether no sign of life is expected of it: it waits for a machine, or is suspended.
  virtual bool waits(const JobJson&) { return false; }
};

// Children of the daemon, at the lowest priority. A worker that an earlier daemon left behind can be asked about,
// stopped and killed too.
std::unique_ptr<Executor> make_local_executor();

struct SlurmOptions {
  std::vector<std::string> options;  // of sbatch, before hearth's own, which win
  int tasks = 1;                     // more: started with srun, and training together through MPI
  std::chrono::milliseconds poll{3000};
  std::chrono::milliseconds patience{20'000};  // with a command of Slurm that does not answer
};

// Jobs of Slurm, which outlive the daemon. What Slurm says, or does not, is asked for on a thread of its own.
std::unique_ptr<Executor> make_slurm_executor(SlurmOptions options);

struct ExecutorOptions {
  bool uses_slurm = false;  // for new workers
  SlurmOptions slurm;
};

// Starts workers as the options say, and follows those that were started either way. Throws kFailedPrecondition where
// Slurm is asked for and its commands are not installed.
std::unique_ptr<Executor> make_executor(ExecutorOptions options);

}  // namespace hearth
