// Workers as jobs of Slurm. A thread of its own asks squeue every few seconds how all of them are, and does what was
// asked of them; with no answer nothing is concluded. An attempt is known by the name of its Slurm job, which is in the
// job's row before anything is submitted. That nothing runs twice rests on three things: before an attempt is
// submitted, the Slurm jobs of earlier ones are gone; a worker begins only the attempt that attempt.json names; and it
// claims it (claim_attempt), as this executor does before it says that an attempt never began.
#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "server/jobs/bounded_command.h"
#include "server/jobs/executor.h"
#include "server/jobs/slurm.h"

namespace hearth {
namespace {

enum class Wish { kNone, kStop, kKill };

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

// An attempt that is, or will be, a Slurm job.
struct Followed {
  std::string job;
  std::filesystem::path directory;
  int attempt = 0, tasks = 1;
  bool to_submit = false;    // go() was called, and sbatch has not answered with a number
  Wish wish = Wish::kNone;   // not yet passed on
  bool was_stopped = false;  // a second signal would end it before it has saved
  bool waits = true;         // as far as is known
  std::optional<ProcessEnd> end;
};

class SlurmExecutor : public Executor {
 public:
  explicit SlurmExecutor(SlurmOptions options)
      : options_(std::move(options)),
        hearth_(std::filesystem::read_symlink("/proc/self/exe")),
        thread_([this] { run(); }) {}

  ~SlurmExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    change_.notify_all();
    commands_.stop();
    thread_.join();
  }
  SlurmExecutor(const SlurmExecutor&) = delete;
  SlurmExecutor& operator=(const SlurmExecutor&) = delete;

  bool starts_children() const override { return false; }

  JobJson start(const JobDirectory& directory, const Attempt& attempt) override {
    const std::filesystem::path script = script_of(directory.path(), attempt.number);
    write_file_atomic(script, batch_script(hearth_, directory, attempt.number, options_.tasks));
    return {{"executor", "slurm"},       {"name", slurm_name(attempt.id, attempt.number)},
            {"job", attempt.id},         {"directory", directory.path().string()},
            {"attempt", attempt.number}, {"tasks", options_.tasks}};
  }

  void go(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    follow(worker).to_submit = true;
  }
  void stop(const JobJson& worker) override { wish(worker, Wish::kStop); }
  void kill(const JobJson& worker) override { wish(worker, Wish::kKill); }

  std::optional<ProcessEnd> ended(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    std::optional<ProcessEnd> end = follow(worker).end;
    if (end) followed_.erase(name_of(worker));
    return end;
  }

  bool waits(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    return follow(worker).waits;
  }

 private:
  static std::filesystem::path script_of(const std::filesystem::path& directory, int attempt) {
    return directory / fmt::format("batch-{}.sh", attempt);
  }

  static std::string name_of(const JobJson& worker) { return worker.at("name").get<std::string>(); }

  // One that is not known yet is new, or an earlier daemon's. Under the lock.
  Followed& follow(const JobJson& worker) {
    const auto [entry, is_new] = followed_.try_emplace(name_of(worker));
    if (is_new) {
      entry->second.job = worker.at("job").get<std::string>();
      entry->second.directory = worker.at("directory").get<std::string>();
      entry->second.attempt = worker.at("attempt").get<int>();
      entry->second.tasks = worker.at("tasks").get<int>();
      change_.notify_all();
    }
    return entry->second;
  }

  void wish(const JobJson& worker, Wish wish) {
    const std::lock_guard lock(mutex_);
    const auto entry = followed_.find(name_of(worker));
    if (entry == followed_.end()) return;  // go() was not called
    Followed& followed = entry->second;
    if (wish == Wish::kKill || (!followed.was_stopped && followed.wish == Wish::kNone)) followed.wish = wish;
  }

  void run();
  void ask();
  std::optional<std::vector<SlurmJob>> list();
  void see_to(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& jobs);
  void pass_on(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& live);
  void submit(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& jobs);
  void end(const std::string& name, const Followed& followed, const std::string& what, bool is_crash);
  CommandEnd command(const std::vector<std::string>& arguments) { return commands_.run(arguments, options_.patience); }

  const SlurmOptions options_;
  const std::filesystem::path hearth_;
  BoundedCommand commands_;
  bool is_away_ = false;  // Slurm did not answer the last time
  std::mutex mutex_;
  std::condition_variable change_;
  std::map<std::string, Followed> followed_;  // by name
  bool stopping_ = false;
  std::thread thread_;
};

void SlurmExecutor::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      change_.wait(lock, [this] { return stopping_ || !followed_.empty(); });
      if (stopping_) return;
    }
    try {
      ask();
    } catch (const std::exception& error) {
      log::error("slurm: {}", error.what());
    }
    std::unique_lock lock(mutex_);
    if (change_.wait_for(lock, options_.poll, [this] { return stopping_; })) return;
  }
}

void SlurmExecutor::ask() {
  // Before the question: what is submitted after it is not in the answer.
  std::map<std::string, Followed> followed;
  {
    const std::lock_guard lock(mutex_);
    followed = followed_;
  }
  const std::optional<std::vector<SlurmJob>> jobs = list();
  if (!jobs) return;
  for (const auto& [name, entry] : followed) try {
      if (!entry.end) see_to(name, entry, *jobs);
    } catch (const std::exception& error) {
      log::error("job {}: {}", entry.job, error.what());
    }
}

std::optional<std::vector<SlurmJob>> SlurmExecutor::list() {
  const CommandEnd answer = command(squeue_command());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return std::nullopt;  // it was ended, and says nothing of Slurm
  }
  const bool was_away = std::exchange(is_away_, !answer.succeeded());
  if (answer.succeeded()) {
    if (was_away) log::info("slurm: answers again");
    return parse_squeue(answer.output);
  }
  if (!was_away) log::warn("slurm: nothing is known of its jobs until it answers: {}", one_line(answer.errors));
  return std::nullopt;
}

void SlurmExecutor::see_to(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& jobs) {
  std::vector<SlurmJob> live;
  const SlurmJob* last = nullptr;
  for (const SlurmJob& job : jobs) {
    if (job.name != name) continue;
    last = &job;
    if (job.is_live()) live.push_back(job);
  }
  if (!live.empty()) return pass_on(name, followed, live);
  if (last) return end(name, followed, last->describe(), last->has_failed());
  if (!followed.to_submit) return end(name, followed, "Slurm knows nothing of it (any more)", /*is_crash=*/false);
  if (followed.wish != Wish::kNone) return end(name, followed, "not submitted any more", /*is_crash=*/false);
  submit(name, followed, jobs);
}

// What was asked of a job, to Slurm.
void SlurmExecutor::pass_on(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& live) {
  bool is_done = true;
  if (followed.wish != Wish::kNone)
    for (const SlurmJob& job : live) {
      const bool saves = followed.wish == Wish::kStop && job.is_running();
      const CommandEnd end = command(saves ? stop_command(job, followed.tasks) : cancel_command(job));
      is_done = is_done && end.succeeded();
    }
  const std::lock_guard lock(mutex_);
  const auto entry = followed_.find(name);
  if (entry == followed_.end()) return;
  entry->second.to_submit = false;
  entry->second.waits = std::ranges::none_of(live, &SlurmJob::is_running);
  if (!is_done || entry->second.wish != followed.wish) return;
  entry->second.was_stopped = entry->second.was_stopped || followed.wish == Wish::kStop;
  entry->second.wish = Wish::kNone;
}

void SlurmExecutor::submit(const std::string& name, const Followed& followed, const std::vector<SlurmJob>& jobs) {
  bool is_alone = true;
  for (const SlurmJob& job : jobs) {
    if (!job.is_live() || !is_slurm_name_of(followed.job, job.name)) continue;
    is_alone = false;
    command(cancel_command(job));
  }
  if (!is_alone) return;  // until they are gone
  const JobDirectory directory(followed.directory);
  const CommandEnd answer =
      command(sbatch_command(options_, directory, name, script_of(followed.directory, followed.attempt)));
  if (!answer.exit_code) return log::warn("slurm: {}", answer.errors);  // perhaps it is submitted; squeue will tell
  if (!answer.succeeded()) return end(name, followed, one_line(answer.errors), /*is_crash=*/false);
  log::info("job {}: attempt {} is Slurm job {}", followed.job, followed.attempt, parse_sbatch(answer.output));
  const std::lock_guard lock(mutex_);
  if (const auto entry = followed_.find(name); entry != followed_.end()) entry->second.to_submit = false;
}

// `is_crash`: it was started, whether or not the worker came to its claim.
void SlurmExecutor::end(const std::string& name, const Followed& followed, const std::string& what, bool is_crash) {
  const bool never_began = claim_attempt(JobDirectory(followed.directory), followed.attempt) && !is_crash;
  const std::lock_guard lock(mutex_);
  if (const auto entry = followed_.find(name); entry != followed_.end())
    entry->second.end = ProcessEnd{.what = what, .never_began = never_began};
}

}  // namespace

std::unique_ptr<Executor> make_slurm_executor(SlurmOptions options) {
  return std::make_unique<SlurmExecutor>(std::move(options));
}

}  // namespace hearth
