// A job of the queue: what was asked for, where it stands, what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

// validating -> queued -> running -> succeeded | failed | cancelled. A paused job is queued again by resume; a running
// one whose worker or daemon died is queued again by itself.
enum class JobState { kValidating, kQueued, kRunning, kPaused, kSucceeded, kFailed, kCancelled };

std::string_view to_string(JobState state);
// Throws kInvalidArgument with a suggestion.
JobState parse_job_state(std::string_view name);
inline bool is_final(JobState state) { return state >= JobState::kSucceeded; }

using JobJson = nlohmann::ordered_json;

struct Job {
  int64_t sequence = 0;
  std::string id;    // "job-..." or "ftjob-..."
  std::string kind;  // what its YAML asks for (kind_of in finetune/spec/job_spec.h)
  JobState state = JobState::kQueued;
  std::optional<JobState> wanted;  // paused or cancelled: asked of a running job, which gets there within a step
  int priority = 0;                // higher first
  int64_t created_at = 0;          // unix milliseconds, as all times here
  std::optional<int64_t> started_at, finished_at;
  std::string spec;                  // YAML
  std::string directory;             // where relative paths of the spec start
  JobJson request;                   // what the API keeps of the request besides; an object
  std::optional<std::string> owner;  // name of the key that submitted it
  int attempt = 0;                   // 1 while the first runs
  int crashes = 0;                   // in a row without a step between
  JobJson worker;                    // how its executor finds the process of this attempt; null: there is none
  int64_t taken_in = 0;              // bytes of worker.jsonl whose events are in the store
  JobJson progress;                  // of the newest "progress" event; an object
  JobJson result;                    // of a job that succeeded; null before
  JobJson error;                     // {code, message, param} of one that failed; null otherwise
};

struct NewJob {
  std::string id;  // empty: "job-..." at random
  std::string kind;
  JobState state = JobState::kQueued;  // or kValidating
  int priority = 0;
  std::string spec, directory;
  JobJson request = JobJson::object();
  std::optional<std::string> owner;
  std::optional<std::string> idempotency_key;  // a second submission with it is the first one's job
};

struct JobEvent {
  int64_t sequence = 0;
  std::string id;  // "ftevent-..."
  int64_t created_at = 0;
  std::string level = "info";    // info, warn, error
  std::string type = "message";  // message, metrics
  std::string message;
  JobJson data = JobJson::object();
};

struct JobCheckpoint {
  int64_t sequence = 0;
  std::string id;  // "ftckpt-..."
  int64_t created_at = 0, step = 0;
  std::string path;
  JobJson metrics = JobJson::object();
};

}  // namespace hearth
