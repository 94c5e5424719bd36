// The queue: order, transitions and those that are refused, what is asked of running jobs, what survives a new start.
#include "server/jobs/job_store.h"

#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/state/schema.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Queue {
  test::TemporaryDirectory directory;
  Database database{directory.path() / "hearth.sqlite", migrations()};
  JobStore store{database};

  std::string submit(int priority = 0, std::string id = "") {
    NewJob job;
    job.id = std::move(id);
    job.kind = "train";
    job.priority = priority;
    job.spec = "stage: sft\n";
    return store.submit(job).id;
  }
  Job claim() { return store.claim(unix_milliseconds()).value(); }
  JobState state(const std::string& id) { return store.get(id).state; }
};

std::vector<std::string> ids(const std::vector<Job>& jobs) {
  std::vector<std::string> found;
  for (const Job& job : jobs) found.push_back(job.id);
  return found;
}

TEST(JobStore, ClaimsByPriorityThenByAge) {
  Queue queue;
  const std::string first = queue.submit(), urgent = queue.submit(5), second = queue.submit();
  EXPECT_EQ(queue.claim().id, urgent);
  EXPECT_EQ(queue.claim().id, first);
  const Job last = queue.claim();
  EXPECT_EQ(last.id, second);
  EXPECT_EQ(last.state, JobState::kRunning);
  EXPECT_EQ(last.attempt, 1);
  EXPECT_FALSE(queue.store.claim(unix_milliseconds()).has_value());
}

TEST(JobStore, AJobIsClaimedOnceByManyThreads) {
  Queue queue;
  for (int i = 0; i < 20; ++i) queue.submit();
  std::mutex mutex;
  std::multiset<std::string> claimed;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      while (const auto job = queue.store.claim(unix_milliseconds())) {
        const std::lock_guard lock(mutex);
        claimed.insert(job->id);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed.size(), 20);
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), 20);
}

TEST(JobStore, AQueuedJobPausesAndIsCancelledAtOnce) {
  Queue queue;
  const std::string id = queue.submit();
  EXPECT_EQ(queue.store.pause(id).state, JobState::kPaused);
  EXPECT_FALSE(queue.store.claim(unix_milliseconds()).has_value());
  EXPECT_THAT(error_of([&] { queue.store.pause(id); }), HasSubstr("is paused, so it cannot be paused"));
  EXPECT_EQ(queue.store.resume(id).state, JobState::kQueued);
  EXPECT_THAT(error_of([&] { queue.store.resume(id); }), HasSubstr("only a paused one is resumed"));
  EXPECT_EQ(queue.store.cancel(id).state, JobState::kCancelled);
  EXPECT_TRUE(queue.store.get(id).finished_at.has_value());
  EXPECT_THAT(error_of([&] { queue.store.cancel(id); }), HasSubstr("is cancelled, so it cannot be cancelled"));
  EXPECT_THAT(error_of([&] { queue.store.get("job-none"); }), HasSubstr("there is no job 'job-none'"));
}

TEST(JobStore, ARunningJobIsAskedAndGetsThereWhenItsAttemptEnds) {
  Queue queue;
  const std::string id = queue.submit();
  queue.claim();
  EXPECT_EQ(queue.store.pause(id).state, JobState::kRunning);
  EXPECT_EQ(queue.store.get(id).wanted, JobState::kPaused);
  EXPECT_TRUE(queue.store.finish(id, 1, {.state = JobState::kQueued}, 1));
  EXPECT_EQ(queue.state(id), JobState::kPaused);
  queue.store.resume(id);
  EXPECT_EQ(queue.claim().attempt, 2);
  queue.store.pause(id);
  queue.store.resume(id);  // taken back
  queue.store.cancel(id);
  EXPECT_THAT(error_of([&] { queue.store.pause(id); }), HasSubstr("is being cancelled"));
  EXPECT_FALSE(queue.store.finish(id, 1, {.state = JobState::kSucceeded}, 1)) << "an attempt that was given up";
  EXPECT_TRUE(queue.store.finish(id, 2, {.state = JobState::kQueued}, 1));
  EXPECT_EQ(queue.state(id), JobState::kCancelled);
  EXPECT_FALSE(queue.store.finish(id, 2, {.state = JobState::kSucceeded}, 1));
}

TEST(JobStore, ASuccessWinsOverACancelThatCameTooLate) {
  Queue queue;
  const std::string id = queue.submit();
  queue.claim();
  queue.store.cancel(id);
  queue.store.finish(id, 1, {.state = JobState::kSucceeded, .result = {{"model", "m"}}}, 7);
  EXPECT_EQ(queue.state(id), JobState::kSucceeded);
  EXPECT_EQ(queue.store.get(id).result["model"], "m");
  EXPECT_EQ(queue.store.get(id).finished_at, 7);
}

TEST(JobStore, TakesNewsInOnceAndForgetsCrashesAfterAStep) {
  Queue queue;
  const std::string id = queue.submit();
  queue.claim();
  queue.store.finish(id, 1, {.state = JobState::kQueued, .crashed = true}, 1);
  EXPECT_EQ(queue.claim().crashes, 1);
  WorkerNews news;
  news.taken_in = 100;
  news.events.emplace_back().message = "hello";
  news.checkpoints.emplace_back().step = 5;
  news.progress = {{"phase", "training"}, {"step", 5}};
  news.stepped = true;
  queue.store.take_in(id, 2, news);
  queue.store.take_in(id, 2, news);
  news.taken_in = 200;
  queue.store.take_in(id, 1, news);
  const Job job = queue.store.get(id);
  EXPECT_EQ(job.taken_in, 100);
  EXPECT_EQ(job.crashes, 0);
  EXPECT_EQ(job.progress["step"], 5);
  const std::vector<JobEvent> events = queue.store.events(id, std::nullopt, 10);
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(events[0].message, "hello");
  EXPECT_EQ(events[1].message, "created: " + id);
  EXPECT_EQ(queue.store.checkpoints(id, std::nullopt, 10).size(), 1);
  queue.store.finish(id, 2, {.state = JobState::kQueued}, 1);
  EXPECT_EQ(queue.claim().progress["phase"], "preparing");
}

TEST(JobStore, WaitsUntilAnAttemptIsDue) {
  Queue queue;
  const std::string id = queue.submit();
  queue.claim();
  queue.store.finish(id, 1, {.state = JobState::kQueued, .not_before = 1000}, 1);
  EXPECT_FALSE(queue.store.claim(999).has_value());
  EXPECT_TRUE(queue.store.claim(1000).has_value());
}

TEST(JobStore, PagesNewestFirstAndFilters) {
  Queue queue;
  NewJob tuned;
  tuned.kind = "train";
  for (int i = 0; i < 5; ++i) {
    tuned.id = fmt::format("ftjob-{}", i);
    tuned.request = {{"metadata", i % 2 ? JobJson{{"team", "a"}, {"x", "%"}} : JobJson()}};
    queue.store.submit(tuned);
  }
  queue.submit(0, "job-0");
  EXPECT_THAT(ids(queue.store.list({.limit = 2})), ElementsAre("job-0", "ftjob-4"));
  EXPECT_THAT(ids(queue.store.list({.id_prefix = "ftjob-", .after = "ftjob-4", .limit = 3})),
              ElementsAre("ftjob-3", "ftjob-2", "ftjob-1"));
  EXPECT_THAT(ids(queue.store.list({.metadata = {{"team", "a"}, {"x", "%"}}})), ElementsAre("ftjob-3", "ftjob-1"));
  EXPECT_THAT(ids(queue.store.list({.metadata = {{"team", "b"}}})), ElementsAre());
  EXPECT_THAT(ids(queue.store.list({.id_prefix = "ftjob-", .without_metadata = true})),
              ElementsAre("ftjob-4", "ftjob-2", "ftjob-0"));
  EXPECT_THAT(ids(queue.store.list({.states = {JobState::kRunning, JobState::kPaused}})), ElementsAre());
  EXPECT_THAT(error_of([&] { queue.store.list({.after = "ftjob-9"}); }), HasSubstr("after: there is no 'ftjob-9'"));
}

TEST(JobStore, ASecondSubmissionIsTheFirstOnesJob) {
  Queue queue;
  NewJob job;
  job.kind = "train";
  job.idempotency_key = "abc";
  const std::string first = queue.store.submit(job).id;
  EXPECT_EQ(queue.store.submit(job).id, first);
  job.idempotency_key = "abd";
  EXPECT_NE(queue.store.submit(job).id, first);
}

TEST(JobStore, ValidatesBeforeItQueues) {
  Queue queue;
  NewJob job;
  job.kind = "train";
  job.state = JobState::kValidating;
  const std::string good = queue.store.submit(job).id, bad = queue.store.submit(job).id,
                    gone = queue.store.submit(job).id;
  EXPECT_FALSE(queue.store.claim(unix_milliseconds()).has_value());
  EXPECT_EQ(queue.store.cancel(gone).state, JobState::kCancelled);
  queue.store.validated(good, {});
  queue.store.validated(bad, {{"code", "invalid_training_file"}, {"message", "line 3"}});
  queue.store.validated(gone, {});
  EXPECT_EQ(queue.state(good), JobState::kQueued);
  EXPECT_EQ(queue.state(bad), JobState::kFailed);
  EXPECT_EQ(queue.store.get(bad).error["message"], "line 3");
  EXPECT_EQ(queue.state(gone), JobState::kCancelled);
}

TEST(JobStore, RemovesOnlyWhatHasEnded) {
  Queue queue;
  const std::string id = queue.submit();
  EXPECT_THAT(error_of([&] { queue.store.remove(id); }), HasSubstr("is queued; cancel it first"));
  queue.store.cancel(id);
  queue.store.remove(id);
  EXPECT_THAT(error_of([&] { queue.store.get(id); }), HasSubstr("there is no job"));
  EXPECT_EQ(queue.store.events_since(id, 0, 10).size(), 0);
}

TEST(JobStore, SurvivesANewStart) {
  test::TemporaryDirectory directory;
  const auto path = directory.path() / "hearth.sqlite";
  std::string id;
  {
    Database database(path, migrations());
    JobStore store(database);
    NewJob job;
    job.kind = "train";
    job.spec = "a: \"ü\"\n";
    id = store.submit(job).id;
    store.claim(unix_milliseconds());
    store.started(id, 1, {{"pid", 5}});
  }
  Database database(path, migrations());
  JobStore store(database);
  const std::vector<Job> running = store.in_state(JobState::kRunning);
  ASSERT_EQ(running.size(), 1);
  EXPECT_EQ(running[0].worker["pid"], 5);
  EXPECT_EQ(running[0].spec, "a: \"ü\"\n");
}

// Against a model that is a plain state machine.
TEST(JobStore, RandomTransitionsAgreeWithTheTable) {
  Queue queue;
  std::mt19937 random(7);
  const std::string id = queue.submit();
  JobState state = JobState::kQueued;
  std::optional<JobState> wanted;
  int attempt = 0;
  for (int i = 0; i < 300; ++i) {
    const int action = static_cast<int>(random() % 5);
    std::string failure;
    if (action == 0) {
      failure = error_of([&] { queue.store.pause(id); });
      const bool allowed =
          state == JobState::kQueued || (state == JobState::kRunning && wanted != JobState::kCancelled);
      EXPECT_EQ(failure.empty(), allowed);
      if (allowed && state == JobState::kRunning) wanted = JobState::kPaused;
      if (allowed && state == JobState::kQueued) state = JobState::kPaused;
    } else if (action == 1) {
      const bool allowed = state == JobState::kPaused || (state == JobState::kRunning && wanted == JobState::kPaused);
      EXPECT_EQ(error_of([&] { queue.store.resume(id); }).empty(), allowed);
      if (allowed && state == JobState::kPaused) state = JobState::kQueued;
      if (allowed) wanted.reset();
    } else if (action == 2) {
      const bool claimed = queue.store.claim(unix_milliseconds()).has_value();
      EXPECT_EQ(claimed, state == JobState::kQueued);
      if (claimed) {
        state = JobState::kRunning;
        ++attempt;
      }
    } else if (action == 3) {
      const bool finished = queue.store.finish(id, attempt, {.state = JobState::kQueued}, 1);
      EXPECT_EQ(finished, state == JobState::kRunning);
      if (finished) state = wanted.value_or(JobState::kQueued);
      if (finished) wanted.reset();
    } else {
      EXPECT_FALSE(queue.store.finish(id, attempt - 1, {.state = JobState::kSucceeded}, 1));
    }
    ASSERT_EQ(queue.state(id), state) << "after action " << action << " of round " << i;
    ASSERT_EQ(queue.store.get(id).wanted, wanted);
  }
}

}  // namespace
}  // namespace hearth
