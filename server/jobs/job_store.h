// The queue as SQLite holds it. Every transition is one transaction, and only from a state that allows it, so that
// whatever is killed, a job is in exactly one state and is claimed by one attempt at a time. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/jobs/job.h"
#include "server/state/clock.h"
#include "server/state/database.h"

namespace hearth {

struct JobQuery {
  std::string id_prefix = {};             // "ftjob-"
  std::optional<std::string> after = {};  // the id of the last job of the page before
  int limit = 20;
  std::vector<JobState> states = {};                 // empty: all
  std::map<std::string, std::string> metadata = {};  // request.metadata has these
  bool without_metadata = false;                     // request.metadata is absent or null
  std::optional<std::string> owner = {};
};

// What a worker has told, in one piece with how far its file was read.
struct WorkerNews {
  int64_t taken_in = 0;  // bytes of worker.jsonl
  std::vector<JobEvent> events;
  std::vector<JobCheckpoint> checkpoints;
  std::optional<JobJson> progress;
  bool stepped = false;  // a step was made: crashes before it do not count any more
};

// How an attempt ended.
struct JobOutcome {
  JobState state;          // kQueued: to go on later
  JobJson result = {};     // kSucceeded
  JobJson error = {};      // kFailed
  bool crashed = false;    // kQueued: counts as a crash
  int64_t not_before = 0;  // kQueued
  std::optional<JobEvent> event = {};
};

class JobStore {
 public:
  explicit JobStore(Database& database) : database_(database) {}

  Job submit(const NewJob& job);
  // Throws kNotFound.
  Job get(std::string_view id);
  // Lists are newest first, of at most `limit` rows, those behind `after`. Throw kInvalidArgument for an `after` that
  // there is not.
  std::vector<Job> list(const JobQuery& query);
  std::vector<JobEvent> events(std::string_view id, const std::optional<std::string>& after, int limit);
  // Oldest first, those after a sequence number: for followers.
  std::vector<JobEvent> events_since(std::string_view id, int64_t sequence, int limit);
  std::vector<JobCheckpoint> checkpoints(std::string_view id, const std::optional<std::string>& after, int limit);
  // The sequence number of an event of the job. Throws kInvalidArgument.
  int64_t event_sequence(std::string_view id, std::string_view event);
  void add_event(std::string_view id, const JobEvent& event);

  // validating -> queued, or failed with `error`.
  void validated(std::string_view id, const JobJson& error);
  // The next job that is due: -> running, with a new attempt; nothing when there is none.
  std::optional<Job> claim(int64_t now);
  // How the attempt's process is found, before it does anything.
  void started(std::string_view id, int attempt, const JobJson& worker);
  void take_in(std::string_view id, int attempt, const WorkerNews& news);
  // running -> outcome, where the attempt is still the job's; false when it is not (nothing changes). Instead of queued
  // it is paused or cancelled where that was asked for.
  bool finish(std::string_view id, int attempt, const JobOutcome& outcome, int64_t now);

  // A queued or paused job gets there at once, a running one is asked to. Throws kFailedPrecondition for a job that
  // has ended, or is already paused.
  Job pause(std::string_view id);
  Job cancel(std::string_view id);
  // paused -> queued; takes back a pause that was asked for.
  Job resume(std::string_view id);
  // Of a job that has succeeded.
  void set_result(std::string_view id, const JobJson& result);
  // Throws kFailedPrecondition for one that has not ended.
  void remove(std::string_view id);
  // Ended before `time`.
  std::vector<Job> ended_before(int64_t time);
  std::vector<Job> in_state(JobState state);
  // How many there are of each state, 0 included.
  std::map<JobState, int64_t> counts();

  // Grows with every change. Waits until it is not `seen` any more, or the timeout; -> the number now.
  uint64_t wait_for_change(uint64_t seen, std::chrono::milliseconds timeout);

 private:
  Job move_to(std::string_view id, JobState target);
  void changed();

  Database& database_;
  std::mutex mutex_;
  std::condition_variable change_;
  uint64_t changes_ = 0;
};

}  // namespace hearth
