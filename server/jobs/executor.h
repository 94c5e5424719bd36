// Where workers run. The runner asks; it never waits for an answer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/jobs/job_directory.h"

namespace hearth {

// How a worker's process ended, for people: "exit code 1", "signal 9 (Killed)".
struct ProcessEnd {
  std::string what;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Whether its workers are children of this daemon (Attempt::is_child).
  virtual bool starts_children() const = 0;
  // Starts `hearth worker DIRECTORY`. -> how it is found again, also by another daemon; kept in the job's row. A child
  // does nothing before go(). Throws kUnavailable.
  virtual JobJson start(const JobDirectory& directory, const Attempt& attempt) = 0;
  virtual void go(const JobJson& worker) = 0;
  // Asks it to save a checkpoint and end, which takes a step.
  virtual void stop(const JobJson& worker) = 0;
  virtual void kill(const JobJson& worker) = 0;
  // Nothing while it runs.
  virtual std::optional<ProcessEnd> ended(const JobJson& worker) = 0;
};

// Children of the daemon, at the lowest priority. A worker that an earlier daemon left behind can be asked about,
// stopped and killed too.
std::unique_ptr<Executor> make_local_executor();

}  // namespace hearth
