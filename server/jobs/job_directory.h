// <state>/jobs/<id>: what the daemon and the worker of a job tell each other, as files, so that either may die at any
// moment and so that the worker may run on another machine.
//   spec.yaml         what to do
//   attempt.json      written by the daemon before each attempt: id, number, kind, directory ...
//   worker-N.jsonl    written by the worker of attempt N: a line an event (worker_events.h)
//   log.txt           standard output and error of all attempts
//   began             there once an attempt has taken the job's output_dir: what is in there is the job's own
//   output/           of jobs that do not name an output_dir
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "server/jobs/job.h"

namespace hearth {

class JobDirectory {
 public:
  explicit JobDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  // Throws kInvalidArgument for an id that is not one: ids become names of directories.
  static JobDirectory of(const std::filesystem::path& jobs, const std::string& id);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path spec() const { return path_ / "spec.yaml"; }
  std::filesystem::path attempt() const { return path_ / "attempt.json"; }
  std::filesystem::path events(int attempt) const { return path_ / ("worker-" + std::to_string(attempt) + ".jsonl"); }
  std::filesystem::path heartbeat() const { return path_ / "heartbeat"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path began() const { return path_ / "began"; }
  std::filesystem::path output() const { return path_ / "output"; }

 private:
  std::filesystem::path path_;
};

// What attempt.json says.
struct Attempt {
  std::string id, kind;
  int number = 1;
  std::filesystem::path directory;  // where the worker runs
  // The worker is a child of the daemon: it waits for a line on its standard input before it does anything, and saves
  // and ends when that is closed.
  bool is_child = true;
  bool in_background = true;  // it leaves the CPUs to everybody else
};

void write_attempt(const JobDirectory& directory, const Attempt& attempt);
// Throws kNotFound, kDataCorruption.
Attempt read_attempt(const JobDirectory& directory);

// Makes the attempt's file of events; false where it is there. So an attempt is begun by one worker, whatever was
// submitted twice, and by none any more once the daemon has made the file. Throws kUnavailable.
bool claim_attempt(const JobDirectory& directory, int attempt);

}  // namespace hearth
