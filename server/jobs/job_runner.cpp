#include "server/jobs/job_runner.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/jobs/worker_events.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLongestWait = std::chrono::seconds(60);    // between two attempts
constexpr auto kRoomWait = std::chrono::seconds(30);       // until memory is asked for again
constexpr auto kPreparingGrace = std::chrono::seconds(2);  // for a worker that has nothing to save yet
constexpr auto kRetentionTick = std::chrono::minutes(10);

int64_t milliseconds(std::chrono::milliseconds duration) { return duration.count(); }

JobEvent event(std::string level, std::string text) {
  JobEvent made;
  made.level = std::move(level);
  made.message = std::move(text);
  return made;
}

JobJson error_json(std::string_view code, const std::string& message) {
  return {{"code", code}, {"message", message}, {"param", nullptr}};
}

// The last lines of a worker's output: what it said before it crashed.
std::string tail_of(const std::filesystem::path& file) {
  constexpr std::streamoff kMost = 600;
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) return "";
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(size - kMost, 0));
  std::string text(static_cast<size_t>(std::min(size, kMost)), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::optional<int64_t> modified_at(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

// An attempt that is under way.
struct Running {
  int attempt = 0;
  JobJson worker;            // null: it was claimed, and nothing was started
  bool left_behind = false;  // a child of an earlier daemon: it has seen that one go, and is saving
  bool has_stepped = false;
  int64_t heard_at = 0;                       // unix milliseconds
  std::optional<int64_t> beat;                // of its heartbeat, by the file system's clock
  std::optional<Clock::time_point> asked_at;  // to stop
  bool was_killed = false, lost_lease = false;
  std::optional<WorkerEnd> told;  // by itself
  std::optional<ProcessEnd> ended;
};

}  // namespace

class JobRunner::Loop {
 public:
  explicit Loop(JobRunner& runner)
      : runner_(runner), store_(runner.store_), executor_(runner.executor_), options_(runner.options_) {
    // Before anybody can ask for new ones.
    for (const Job& job : store_.in_state(JobState::kRunning)) adopt(job);
    thread_ = std::thread([this] { run(); });
    validator_ = std::thread([this] { validate_all(); });
  }

  void stop() {
    stopping_ = true;
    const std::lock_guard lock(ending_);
    if (thread_.joinable()) thread_.join();
    if (validator_.joinable()) validator_.join();
  }

 private:
  void run();
  void adopt(const Job& job);
  void begin_due();
  bool begin(const Job& job);
  bool follow(const std::string& id, Running& running);
  bool settle(const std::string& id, Running& running);
  bool take_in(const std::string& id, Running& running);
  void ask(const Job& job, Running& running);
  void watch_lease(const std::string& id, Running& running);
  JobOutcome outcome_of(const Job& job, const Running& running) const;
  JobOutcome after_crash(const Job& job, const Running& running) const;
  JobOutcome after_success(const Job& job, const JobJson& finished) const;
  void remove_old();
  void validate_all();

  JobRunner& runner_;
  JobStore& store_;
  Executor& executor_;
  const RunnerOptions& options_;
  std::map<std::string, Running> running_;
  Clock::time_point next_removal_ = Clock::now();
  std::atomic<bool> stopping_{false};
  std::mutex ending_;  // one stop() at a time
  std::thread thread_, validator_;
};

void JobRunner::Loop::run() {
  uint64_t seen = 0;
  std::optional<Clock::time_point> stop_since;
  while (!stopping_ || !running_.empty()) {
    try {
      if (stopping_ && !stop_since) stop_since = Clock::now();
      for (auto it = running_.begin(); it != running_.end();) {
        const auto current = it++;
        if (follow(current->first, current->second)) running_.erase(current);
      }
      if (!stopping_) begin_due();
      if (!stopping_) remove_old();
    } catch (const std::exception& error) {
      log::error("jobs: {}", error.what());
    }
    const auto runs_on = [this](const auto& entry) { return !executor_.is_child(entry.second.worker); };
    if (stop_since && std::ranges::all_of(running_, runs_on)) break;  // without us
    if (stop_since && Clock::now() - *stop_since > 2 * options_.stop_timeout) break;
    seen = store_.wait_for_change(seen, options_.tick);
  }
}

// A job that was running when an earlier daemon ended.
void JobRunner::Loop::adopt(const Job& job) {
  Running running;
  running.attempt = job.attempt;
  running.worker = job.worker;
  running.left_behind = executor_.is_child(job.worker);
  running.has_stepped = job.progress.value("phase", "") != kPreparing;
  running.heard_at = unix_milliseconds();
  // How it ended may have been read by the daemon that is gone, before the process had.
  for (int64_t read = -1, from = 0; from != read;) {
    WorkerReading reading = read_worker_events(runner_.directory_of(job.id).events(job.attempt), read = from);
    if (reading.end) running.told = std::move(reading.end);
    from = reading.news.taken_in;
  }
  running_.emplace(job.id, std::move(running));
}

void JobRunner::Loop::begin_due() {
  while (static_cast<int>(running_.size()) < options_.max_jobs) {
    const std::optional<Job> job = store_.claim(unix_milliseconds());
    if (!job || !begin(*job)) return;
  }
}

bool JobRunner::Loop::begin(const Job& job) {
  try {
    const JobDirectory directory = runner_.directory_of(job.id);
    std::filesystem::create_directories(directory.path());
    write_file_atomic(directory.spec(), job.spec);
    const Attempt attempt{.id = job.id,
                          .kind = job.kind,
                          .number = job.attempt,
                          .directory = job.directory.empty() ? directory.path() : std::filesystem::path(job.directory),
                          .is_child = executor_.starts_children(),
                          .in_background = options_.in_background && executor_.starts_children()};
    write_attempt(directory, attempt);
    Running running;
    running.attempt = job.attempt;
    running.worker = executor_.start(directory, attempt);
    running.heard_at = unix_milliseconds();
    const auto [entry, is_new] = running_.insert_or_assign(job.id, std::move(running));
    store_.started(job.id, job.attempt, entry->second.worker);
    executor_.go(entry->second.worker);
    log::info("job {}: attempt {} runs", job.id, job.attempt);
    return true;
  } catch (const std::exception& error) {
    if (const auto entry = running_.find(job.id); entry != running_.end()) {
      executor_.kill(entry->second.worker);  // it was not told to go
      running_.erase(entry);
    }
    log::error("job {}: {}", job.id, error.what());
    store_.finish(job.id, job.attempt,
                  {.state = JobState::kQueued,
                   .not_before = unix_milliseconds() + milliseconds(kRoomWait),
                   .event = event("error", fmt::format("cannot be started yet: {}", error.what()))},
                  unix_milliseconds());
    return false;
  }
}

// Whole lines, as many as one transaction takes. -> whether there were any
bool JobRunner::Loop::take_in(const std::string& id, Running& running) {
  const Job job = store_.get(id);
  WorkerReading reading = read_worker_events(runner_.directory_of(id).events(running.attempt), job.taken_in);
  if (reading.news.taken_in == job.taken_in) return false;
  store_.take_in(id, running.attempt, reading.news);
  running.has_stepped = running.has_stepped || reading.news.stepped;
  if (reading.end) running.told = std::move(reading.end);
  return true;
}

// Passes on what is asked of the job, and sees that it happens in the end.
void JobRunner::Loop::ask(const Job& job, Running& running) {
  const bool loses_daemon = running.left_behind || (stopping_ && executor_.is_child(running.worker));
  if (!job.wanted && !loses_daemon) {
    running.asked_at.reset();  // a pause that was taken back before
    return;
  }
  const auto now = Clock::now();
  if (!running.asked_at) {
    running.asked_at = now;
    if (!running.left_behind) executor_.stop(running.worker);
    return;
  }
  if (running.was_killed) return;
  const bool may_be_killed = !running.has_stepped || loses_daemon || job.wanted == JobState::kCancelled;
  const auto patience = running.has_stepped ? options_.stop_timeout : kPreparingGrace;
  if (!may_be_killed || now - *running.asked_at < patience) return;  // a pause waits for its checkpoint
  running.was_killed = true;
  executor_.kill(running.worker);
}

void JobRunner::Loop::watch_lease(const std::string& id, Running& running) {
  const int64_t now = unix_milliseconds(), lease = milliseconds(options_.lease);
  const std::optional<int64_t> beat = modified_at(runner_.directory_of(id).heartbeat());
  if (beat != std::exchange(running.beat, beat)) running.heard_at = now;  // whatever another machine's clock says
  if (executor_.waits(running.worker)) running.heard_at = now;
  if (now - running.heard_at < lease || running.was_killed) return;
  running.was_killed = running.lost_lease = true;
  executor_.kill(running.worker);
}

// -> whether the attempt is over
bool JobRunner::Loop::follow(const std::string& id, Running& running) {
  try {
    // Before the last reading: what is written by then is all that it had to say.
    if (!running.ended)
      running.ended = running.worker.is_null() ? ProcessEnd{"never started"} : executor_.ended(running.worker);
    while (take_in(id, running)) {
    }
    if (running.ended) return settle(id, running);
    ask(store_.get(id), running);
    watch_lease(id, running);
  } catch (const std::exception& error) {
    // A full disk, say: nothing was changed, and the next round tries again.
    log::error("job {}: {}", id, error.what());
  }
  return false;
}

bool JobRunner::Loop::settle(const std::string& id, Running& running) {
  const JobOutcome outcome = outcome_of(store_.get(id), running);
  store_.finish(id, running.attempt, outcome, unix_milliseconds());
  if (outcome.event)
    log::write(outcome.event->level == "info" ? log::Level::kInfo : log::Level::kWarn,
               fmt::format("job {}: {}", id, outcome.event->message));
  return true;
}

JobOutcome JobRunner::Loop::outcome_of(const Job& job, const Running& running) const {
  if (!running.told) return after_crash(job, running);
  switch (running.told->outcome) {
    case WorkerEnd::Outcome::kFinished:
      return after_success(job, running.told->result);
    case WorkerEnd::Outcome::kStopped:
      return {.state = JobState::kQueued,
              .event = event("info", job.wanted ? std::string(to_string(*job.wanted))
                                                : "stopped with a checkpoint; it goes on when the daemon does")};
    case WorkerEnd::Outcome::kFailed:
      break;
  }
  const std::string& message = running.told->message;
  if (running.told->code == to_string(ErrorCode::kResourceExhausted) && running_.size() > 1)
    return {.state = JobState::kQueued,
            .not_before = unix_milliseconds() + milliseconds(kRoomWait),
            .event = event("warn", fmt::format("waits for another job to end: {}", message))};
  return {
      .state = JobState::kFailed, .error = error_json(running.told->code, message), .event = event("error", message)};
}

// It ended without a word.
JobOutcome JobRunner::Loop::after_crash(const Job& job, const Running& running) const {
  if (running.left_behind || running.worker.is_null())
    return {.state = JobState::kQueued, .event = event("info", "the daemon ended; the job goes on")};
  if (running.asked_at && !running.lost_lease)  // before it could say so
    return {.state = JobState::kQueued, .event = event("info", "ended at once, as was asked")};
  if (running.ended->never_began && job.wanted)
    return {.state = JobState::kQueued, .event = event("info", std::string(to_string(*job.wanted)))};
  if (running.ended->never_began)
    return {.state = JobState::kQueued,
            .not_before = unix_milliseconds() + milliseconds(kRoomWait),
            .event = event("warn", fmt::format("did not begin, and is tried again: {}", running.ended->what))};
  const std::string how = running.lost_lease ? fmt::format("was not heard of for {} s", options_.lease.count())
                                             : fmt::format("ended without a word: {}", running.ended->what);
  const std::string said = tail_of(runner_.directory_of(job.id).log());
  const std::string text = fmt::format("the worker {}{}", how, said.empty() ? "" : "; the last it wrote:\n" + said);
  const int crashes = running.has_stepped ? 0 : job.crashes;
  if (crashes + 1 >= options_.most_crashes)
    return {.state = JobState::kFailed,
            .error = error_json("worker_crashed", fmt::format("{} times in a row: {}", crashes + 1, text)),
            .event = event("error", text)};
  const auto wait = std::min<std::chrono::milliseconds>(std::chrono::milliseconds(500) * (1 << crashes), kLongestWait);
  return {.state = JobState::kQueued,
          .crashed = true,
          .not_before = unix_milliseconds() + milliseconds(wait),
          .event = event("warn", text + "; the job goes on from its last checkpoint")};
}

JobOutcome JobRunner::Loop::after_success(const Job& job, const JobJson& finished) const {
  try {
    return {.state = JobState::kSucceeded,
            .result = runner_.hooks_.succeeded ? runner_.hooks_.succeeded(job, finished) : finished,
            .event = event("info", "succeeded")};
  } catch (const std::exception& error) {
    const std::string text = fmt::format("trained, but what came of it cannot be served: {}", error.what());
    return {.state = JobState::kFailed, .error = error_json("not_servable", text), .event = event("error", text)};
  }
}

void JobRunner::Loop::remove_old() {
  if (options_.retention.count() == 0 || Clock::now() < next_removal_) return;
  next_removal_ = Clock::now() + kRetentionTick;
  for (const Job& job : store_.ended_before(unix_milliseconds() - milliseconds(options_.retention))) {
    const JobDirectory directory = runner_.directory_of(job.id);
    if (job.state == JobState::kSucceeded && std::filesystem::exists(directory.output())) continue;  // it is served
    std::error_code ignored;
    std::filesystem::remove_all(directory.path(), ignored);
    store_.remove(job.id);
    log::info("job {}: removed, {} h after its end", job.id, options_.retention.count());
  }
}

void JobRunner::Loop::validate_all() {
  uint64_t seen = 0;
  while (!stopping_) {
    try {
      for (const Job& job : store_.in_state(JobState::kValidating)) {
        if (stopping_) return;
        JobJson error;
        try {
          if (runner_.hooks_.validate) error = runner_.hooks_.validate(job);
        } catch (const std::exception& failure) {
          error = error_json("invalid_request", failure.what());
        }
        store_.validated(job.id, error);
      }
    } catch (const std::exception& error) {
      log::error("jobs: {}", error.what());
    }
    seen = store_.wait_for_change(seen, options_.tick);
  }
}

JobRunner::JobRunner(JobStore& store, std::filesystem::path jobs, Executor& executor, RunnerOptions options,
                     JobHooks hooks)
    : store_(store), jobs_(std::move(jobs)), executor_(executor), options_(options), hooks_(std::move(hooks)) {}

JobRunner::~JobRunner() { stop(); }

void JobRunner::start() { loop_ = std::make_unique<Loop>(*this); }

void JobRunner::stop() {
  if (loop_) loop_->stop();
}

}  // namespace hearth
