// The runner over an executor whose workers are scripts of the test: what it does with every way that an attempt can
// end, with what is asked of jobs, and with what an earlier daemon left behind.
#include "server/jobs/job_runner.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/jobs/worker_events.h"
#include "server/state/schema.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::soon;
using testing::HasSubstr;

// Workers that do what the test says.
class FakeExecutor : public Executor {
 public:
  bool starts_children() const override { return true; }
  JobJson start(const JobDirectory& directory, const Attempt& attempt) override {
    const std::lock_guard lock(mutex_);
    if (refuses_) throw unavailable("no room");
    const int number = ++started_;
    events_[number] = std::make_unique<WorkerEvents>(directory.events(attempt.number));
    return {{"n", number}};
  }
  void go(const JobJson& worker) override { went_.insert(number(worker)); }
  void stop(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    stopped_.insert(number(worker));
  }
  void kill(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    killed_.insert(number(worker));
    ended_.insert(number(worker));
  }
  std::optional<ProcessEnd> ended(const JobJson& worker) override {
    const std::lock_guard lock(mutex_);
    return ended_.contains(number(worker)) ? std::optional(ProcessEnd{"signal 9", never_began}) : std::nullopt;
  }
  bool waits(const JobJson&) override { return waiting; }
  std::atomic<bool> waiting{false}, never_began{false};

  WorkerEvents& worker(int n) {
    const std::lock_guard lock(mutex_);
    return *events_.at(n);
  }
  void end(int n) {
    const std::lock_guard lock(mutex_);
    ended_.insert(n);
  }
  void refuse(bool yes) {
    const std::lock_guard lock(mutex_);
    refuses_ = yes;
  }
  int started() {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  bool stopped(int n) {
    const std::lock_guard lock(mutex_);
    return stopped_.contains(n);
  }
  bool killed(int n) {
    const std::lock_guard lock(mutex_);
    return killed_.contains(n);
  }

 private:
  static int number(const JobJson& worker) { return worker.at("n").get<int>(); }
  std::mutex mutex_;
  int started_ = 0;
  bool refuses_ = false;
  std::map<int, std::unique_ptr<WorkerEvents>> events_;
  std::set<int> went_, stopped_, killed_, ended_;
};

struct Daemon {
  Daemon() { restart(); }
  ~Daemon() { runner->stop(); }

  // As another daemon on the same state.
  void restart() {
    runner.reset();
    runner =
        std::make_unique<JobRunner>(store, directory.path() / "jobs", executor, options,
                                    JobHooks{.validate = {}, .succeeded = [this](const Job&, const JobJson& finished) {
                                               ++successes;
                                               if (hook_fails) throw invalid_argument("no such base");
                                               JobJson result = finished;
                                               result["served_as"] = "m";
                                               return result;
                                             }});
    runner->start();
  }

  std::string submit(int priority = 0) {
    NewJob job;
    job.kind = "train";
    job.priority = priority;
    return store.submit(job).id;
  }
  bool reaches(const std::string& id, JobState state) {
    return soon([&] { return store.get(id).state == state; });
  }
  bool starts(int n) {
    return soon([&] { return executor.started() >= n; });
  }
  void step(int n, int step) { executor.worker(n).progress({{"phase", kTraining}, {"step", step}}); }
  bool knows_step(const std::string& id, int step) {
    return soon([&] { return store.get(id).progress.value("step", 0) == step; });
  }
  std::string last_event(const std::string& id) { return store.events(id, std::nullopt, 1).at(0).message; }

  test::TemporaryDirectory directory;
  Database database{directory.path() / "hearth.sqlite", migrations()};
  JobStore store{database};
  FakeExecutor executor;
  RunnerOptions options{.tick = milliseconds(5), .lease = seconds(60), .stop_timeout = seconds(1)};
  std::atomic<int> successes{0};
  std::atomic<bool> hook_fails{false};
  std::unique_ptr<JobRunner> runner;
};

TEST(JobRunner, TakesWhatAWorkerTellsAndEndsWithIt) {
  Daemon daemon;
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  WorkerEvents& worker = daemon.executor.worker(1);
  worker.message("warn", "careful");
  daemon.step(1, 3);
  worker.metrics(3, 10, {{"loss", 1.5}});
  worker.checkpoint(3, "/c3", {{"loss", 1.5}});
  EXPECT_TRUE(daemon.knows_step(id, 3));
  worker.finished({{"output_dir", "/o"}});
  EXPECT_EQ(daemon.store.get(id).state, JobState::kRunning) << "its process is still there";
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.reaches(id, JobState::kSucceeded));
  EXPECT_EQ(daemon.store.get(id).result, (JobJson{{"output_dir", "/o"}, {"served_as", "m"}}));
  EXPECT_EQ(daemon.store.checkpoints(id, std::nullopt, 10).at(0).path, "/c3");
  const std::vector<JobEvent> events = daemon.store.events_since(id, 0, 100);
  ASSERT_EQ(events.size(), 5);
  EXPECT_EQ(events[1].level, "warn");
  EXPECT_EQ(events[2].type, "metrics");
  EXPECT_EQ(events[2].data, (JobJson{{"step", 3}, {"total_steps", 10}, {"loss", 1.5}}));
}

TEST(JobRunner, AFailureIsTheJobs) {
  Daemon daemon;
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.executor.worker(1).failed("invalid_argument", "no such dataset");
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.reaches(id, JobState::kFailed));
  EXPECT_EQ(daemon.store.get(id).error["code"], "invalid_argument");
  daemon.hook_fails = true;
  const std::string other = daemon.submit();
  ASSERT_TRUE(daemon.starts(2));
  daemon.executor.worker(2).finished(JobJson::object());
  daemon.executor.end(2);
  ASSERT_TRUE(daemon.reaches(other, JobState::kFailed));
  EXPECT_THAT(daemon.store.get(other).error["message"].get<std::string>(), HasSubstr("cannot be served: no such base"));
}

TEST(JobRunner, ACrashQueuesItAgainAndManyInARowFailIt) {
  Daemon daemon;
  daemon.runner->stop();
  daemon.options.most_crashes = 2;
  daemon.restart();
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.starts(2));
  EXPECT_EQ(daemon.store.get(id).attempt, 2);
  EXPECT_EQ(daemon.store.get(id).crashes, 1);
  daemon.step(2, 1);
  ASSERT_TRUE(daemon.knows_step(id, 1));
  daemon.executor.end(2);  // after a step: the count begins anew
  ASSERT_TRUE(daemon.starts(3));
  EXPECT_EQ(daemon.store.get(id).crashes, 1);
  daemon.executor.end(3);
  ASSERT_TRUE(daemon.reaches(id, JobState::kFailed));
  EXPECT_EQ(daemon.store.get(id).error["code"], "worker_crashed");
  EXPECT_THAT(daemon.last_event(id), HasSubstr("ended without a word: signal 9"));
}

TEST(JobRunner, APauseWaitsForTheCheckpoint) {
  Daemon daemon;
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.step(1, 1);
  ASSERT_TRUE(daemon.knows_step(id, 1));
  daemon.store.pause(id);
  ASSERT_TRUE(soon([&] { return daemon.executor.stopped(1); }));
  std::this_thread::sleep_for(milliseconds(1200));  // longer than stop_timeout
  EXPECT_FALSE(daemon.executor.killed(1));
  daemon.executor.worker(1).stopped();
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.reaches(id, JobState::kPaused));
  daemon.store.resume(id);
  ASSERT_TRUE(daemon.starts(2));
}

TEST(JobRunner, ACancelDoesNotWaitForEver) {
  Daemon daemon;
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.step(1, 1);
  ASSERT_TRUE(daemon.knows_step(id, 1));
  daemon.store.cancel(id);
  ASSERT_TRUE(daemon.reaches(id, JobState::kCancelled));
  EXPECT_TRUE(daemon.executor.stopped(1));
  EXPECT_TRUE(daemon.executor.killed(1));
}

TEST(JobRunner, WaitsForMemoryThatAnotherJobHas) {
  Daemon daemon;
  daemon.runner->stop();
  daemon.options.max_jobs = 2;
  daemon.restart();
  const std::string first = daemon.submit(), second = daemon.submit();
  ASSERT_TRUE(daemon.starts(2));
  daemon.executor.worker(2).failed("resource_exhausted", "12 GiB are needed");
  daemon.executor.end(2);
  ASSERT_TRUE(daemon.reaches(second, JobState::kQueued));
  EXPECT_THAT(daemon.last_event(second), HasSubstr("waits for another job to end: 12 GiB"));
  daemon.executor.worker(1).failed("resource_exhausted", "12 GiB are needed");  // alone it has failed
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.reaches(first, JobState::kFailed));
}

TEST(JobRunner, RunsSoManyAtOnceAndTheUrgentFirst) {
  Daemon daemon;
  daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  const std::string later = daemon.submit(), urgent = daemon.submit(1);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(daemon.executor.started(), 1);
  daemon.executor.worker(1).finished(JobJson::object());
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.starts(2));
  EXPECT_EQ(daemon.store.get(urgent).state, JobState::kRunning);
  EXPECT_EQ(daemon.store.get(later).state, JobState::kQueued);
}

TEST(JobRunner, AWorkerThatIsNotHeardOfIsEnded) {
  Daemon daemon;
  daemon.runner->stop();
  daemon.options.lease = seconds(1);
  daemon.restart();
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(2)) << "the second attempt";
  EXPECT_TRUE(daemon.executor.killed(1));
  const std::vector<JobEvent> events = daemon.store.events_since(id, 0, 100);
  EXPECT_THAT(events.back().message, HasSubstr("was not heard of for 1 s"));
}

TEST(JobRunner, OneThatWaitsForAMachineNeedNotBeHeardOf) {
  Daemon daemon;
  daemon.runner->stop();
  daemon.options.lease = seconds(1);
  daemon.executor.waiting = true;
  daemon.restart();
  daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  std::this_thread::sleep_for(milliseconds(1500));  // longer than the lease
  EXPECT_FALSE(daemon.executor.killed(1));
  daemon.executor.waiting = false;
  EXPECT_TRUE(daemon.starts(2));
  EXPECT_TRUE(daemon.executor.killed(1));
}

TEST(JobRunner, WhatNeverBeganIsNoCrash) {
  Daemon daemon;
  daemon.executor.never_began = true;
  const std::string id = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.executor.end(1);
  ASSERT_TRUE(daemon.reaches(id, JobState::kQueued));
  EXPECT_EQ(daemon.last_event(id), "did not begin, and is tried again: signal 9");
  EXPECT_EQ(daemon.store.get(id).crashes, 0);
}

TEST(JobRunner, WhatCannotBeStartedIsTriedAgain) {
  Daemon daemon;
  daemon.executor.refuse(true);
  const std::string id = daemon.submit();
  ASSERT_TRUE(soon([&] { return daemon.last_event(id) == "cannot be started yet: no room"; }));
  EXPECT_EQ(daemon.store.get(id).state, JobState::kQueued);
}

TEST(JobRunner, TheNextDaemonGoesOn) {
  Daemon daemon;
  const std::string saved = daemon.submit();
  ASSERT_TRUE(daemon.starts(1));
  daemon.step(1, 1);
  ASSERT_TRUE(daemon.knows_step(saved, 1));
  daemon.executor.worker(1).stopped();
  std::thread ends([&] {
    EXPECT_TRUE(soon([&] { return daemon.executor.stopped(1); }));
    daemon.executor.end(1);
  });
  daemon.runner->stop();
  ends.join();
  EXPECT_EQ(daemon.store.get(saved).state, JobState::kQueued);
  daemon.restart();
  ASSERT_TRUE(daemon.starts(2));
  EXPECT_EQ(daemon.store.get(saved).attempt, 2);
}

// What a daemon that was killed leaves in the database, put there by hand.
TEST(JobRunner, WhatAKilledDaemonLeftIsEndedOrTakenInOnce) {
  Daemon daemon;
  daemon.runner->stop();
  const std::string never_started = daemon.submit(), orphan = daemon.submit(), finished = daemon.submit();
  for (int i = 0; i < 3; ++i) daemon.store.claim(unix_milliseconds());
  for (const std::string& id : {orphan, finished}) {
    const JobDirectory directory = daemon.runner->directory_of(id);
    std::filesystem::create_directories(directory.path());
    daemon.store.started(id, 1, daemon.executor.start(directory, {.id = id, .kind = "train", .directory = ""}));
  }
  daemon.executor.worker(2).finished(JobJson::object());
  daemon.executor.end(2);
  daemon.restart();
  ASSERT_TRUE(daemon.reaches(finished, JobState::kSucceeded));
  EXPECT_EQ(daemon.successes, 1);
  ASSERT_TRUE(soon([&] { return daemon.store.get(never_started).attempt == 2; }));
  // The orphan has seen its daemon go: it gets the time to save, but not for ever.
  EXPECT_FALSE(daemon.executor.stopped(1));
  EXPECT_TRUE(daemon.reaches(orphan, JobState::kQueued));
  EXPECT_TRUE(daemon.executor.killed(1));
  EXPECT_EQ(daemon.store.get(orphan).crashes, 0);
}

// The daemon was killed between the worker's last word, which it had read, and the end of its process.
TEST(JobRunner, AWordThatWasReadBeforeACrashCounts) {
  Daemon daemon;
  daemon.runner->stop();
  const std::string id = daemon.submit();
  daemon.store.claim(unix_milliseconds());
  const JobDirectory directory = daemon.runner->directory_of(id);
  std::filesystem::create_directories(directory.path());
  daemon.store.started(id, 1, daemon.executor.start(directory, {.id = id, .kind = "train", .directory = ""}));
  daemon.executor.worker(1).finished({{"output_dir", "/o"}});
  daemon.executor.end(1);
  WorkerNews news;
  news.taken_in = static_cast<int64_t>(std::filesystem::file_size(directory.events(1)));
  daemon.store.take_in(id, 1, news);
  daemon.restart();
  ASSERT_TRUE(daemon.reaches(id, JobState::kSucceeded));
  EXPECT_EQ(daemon.store.get(id).attempt, 1);
}

TEST(JobRunner, ForgetsOldJobsButNotWhatTheyTrained) {
  Daemon daemon;
  daemon.runner->stop();
  const std::string failed = daemon.submit(), tuned = daemon.submit();
  for (const std::string& id : {failed, tuned}) {
    std::filesystem::create_directories(daemon.runner->directory_of(id).output());
    daemon.store.claim(unix_milliseconds());
  }
  daemon.store.finish(failed, 1, {.state = JobState::kFailed}, 1);
  daemon.store.finish(tuned, 1, {.state = JobState::kSucceeded}, 1);
  daemon.options.retention = std::chrono::hours(1);
  daemon.restart();
  ASSERT_TRUE(soon([&] { return daemon.store.list({}).size() == 1; }));
  EXPECT_EQ(daemon.store.list({}).at(0).id, tuned);
  EXPECT_FALSE(std::filesystem::exists(daemon.runner->directory_of(failed).path()));
  EXPECT_TRUE(std::filesystem::exists(daemon.runner->directory_of(tuned).output()));
}

TEST(JobDirectory, AnIdIsNoPath) {
  for (const char* id : {"", "..", "a/b", "job-1/..", "job 1"}) EXPECT_THROW(JobDirectory::of("/x", id), Error) << id;
  EXPECT_EQ(JobDirectory::of("/x", "job-1").log(), "/x/job-1/log.txt");
}

TEST(WorkerEvents, ReadsWholeLinesAndSkipsWhatItDoesNotKnow) {
  const test::TemporaryDirectory directory;
  const auto file = directory.path() / "worker-1.jsonl";
  EXPECT_EQ(read_worker_events(file, 0).news.taken_in, 0);
  AppendFile lines(file);
  lines.append(
      "{\"type\":\"message\",\"level\":5}\nno json\n[1]\n{\"type\":\"new\"}\n"
      "{\"type\":\"message\",\"message\":\"x\"}\n{\"type\":\"mess");
  const WorkerReading reading = read_worker_events(file, 0);
  ASSERT_EQ(reading.news.events.size(), 1);
  EXPECT_EQ(reading.news.events[0].message, "x");
  lines.append("age\",\"message\":\"y\"}\n");
  EXPECT_EQ(read_worker_events(file, reading.news.taken_in).news.events.at(0).message, "y");
}

}  // namespace
}  // namespace hearth
