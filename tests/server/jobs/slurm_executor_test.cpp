// The executor over commands of Slurm that are scripts of the test: what they are told, what is concluded from what
// they answer, and that nothing is from what they do not.
#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/jobs/bounded_command.h"
#include "server/jobs/executor.h"
#include "server/jobs/slurm.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::soon;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// squeue shows the file `jobs`, sbatch adds to it, scancel ends there; all write down what they were told.
constexpr std::string_view kSqueue = R"(#!/bin/sh
cd "${0%/*}/.." && echo "$*" >>asked
[ -e hangs ] && exec sleep 60
[ -e away ] && { echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1; }
[ -z "$SQUEUE_PARTITION" ] && cat jobs
)";
constexpr std::string_view kSbatch = R"(#!/bin/sh
cd "${0%/*}/.." && echo "sbatch $*" >>told
[ -e refuses ] && { echo "sbatch: error: invalid partition specified: none" >&2; exit 1; }
for option; do case $option in --job-name=*) echo "12|PENDING|Priority|${option#*=}" >>jobs; esac; done
[ -e loses ] && exec sleep 60
echo 12
)";
constexpr std::string_view kScancel = R"(#!/bin/sh
cd "${0%/*}/.." && echo "scancel $*" >>told
case $1 in --*) ;; *) sed "s/^$1|[A-Z]*|/$1|CANCELLED|/" jobs >jobs.new && mv jobs.new jobs; esac
)";

class SlurmExecutor : public testing::Test {
 protected:
  SlurmExecutor() : path_(std::getenv("PATH")) {
    for (const auto& [name, text] : {std::pair("squeue", kSqueue), {"sbatch", kSbatch}, {"scancel", kScancel}}) {
      write_file_atomic(root() / "bin" / name, text);
      ::chmod((root() / "bin" / name).c_str(), 0755);
    }
    shows("");
    fs::create_directories(directory_.path());
    ::setenv("PATH", ((root() / "bin").string() + ":" + path_).c_str(), 1);
    ::setenv("SQUEUE_PARTITION", "other", 1);  // of whoever started the daemon; it would hide jobs
    restart();
  }
  ~SlurmExecutor() override {
    ::setenv("PATH", path_.c_str(), 1);
    ::unsetenv("SQUEUE_PARTITION");
  }

  fs::path root() const { return temporary_.path(); }
  void restart(milliseconds patience = std::chrono::seconds(30)) {
    executor_.reset();
    executor_ = make_slurm_executor({.options = {"--partition=cpu"}, .poll = milliseconds(10), .patience = patience});
  }
  JobJson prepare(int number) {
    return executor_->start(directory_, {.id = "job-a", .kind = "train", .number = number, .directory = root()});
  }
  JobJson start(int attempt) {
    const JobJson worker = prepare(attempt);
    executor_->go(worker);
    return worker;
  }
  void shows(const std::string& jobs) { write_file_atomic(root() / "jobs", jobs); }
  void set(const std::string& file) { write_file_atomic(root() / file, ""); }
  void unset(const std::string& file) { fs::remove(root() / file); }
  std::string told() { return fs::exists(root() / "told") ? read_file(root() / "told") : ""; }
  bool is_told(const std::string& what) {
    return soon([&] { return told().find(what) != std::string::npos; });
  }
  // Rounds that begin from now on have been through.
  void let_it_ask() {
    const auto asked = [this] {
      const std::string lines = fs::exists(root() / "asked") ? read_file(root() / "asked") : "";
      return std::ranges::count(lines, '\n');
    };
    const auto before = asked();
    const int more = fs::exists(root() / "hangs") ? 1 : 2;
    EXPECT_TRUE(soon([&] { return asked() >= before + more; }));
  }
  ProcessEnd end_of(const JobJson& worker) {
    std::optional<ProcessEnd> end;
    EXPECT_TRUE(soon([&] { return (end = executor_->ended(worker)).has_value(); }));
    return end.value_or(ProcessEnd{});
  }

  const std::string path_;
  test::TemporaryDirectory temporary_;
  const JobDirectory directory_{root() / "jobs of 100%" / "job-a"};
  std::unique_ptr<Executor> executor_;
};

TEST_F(SlurmExecutor, SubmitsOnGoAndFollowsToTheEnd) {
  const JobJson worker = prepare(1);
  EXPECT_EQ(worker.at("name"), "hearth-job-a-1");
  EXPECT_EQ(told(), "") << "the row that names it is not written yet";
  executor_->go(worker);
  ASSERT_TRUE(is_told("batch-1.sh\n"));
  EXPECT_THAT(told(), HasSubstr("sbatch --partition=cpu --parsable --no-requeue --job-name=hearth-job-a-1 "));
  EXPECT_THAT(told(), HasSubstr("--output=" + root().string() + "/jobs of 100%%/job-a/log.txt --open-mode=append"));
  let_it_ask();
  EXPECT_FALSE(executor_->ended(worker));
  EXPECT_TRUE(executor_->waits(worker));
  shows("12|RUNNING|None|hearth-job-a-1\n");
  EXPECT_TRUE(soon([&] { return !executor_->waits(worker); }));
  shows("12|SUSPENDED|None|hearth-job-a-1\n");
  EXPECT_TRUE(soon([&] { return executor_->waits(worker); }));
  shows("12|COMPLETING|None|hearth-job-a-1\n");
  let_it_ask();
  EXPECT_FALSE(executor_->ended(worker));
  EXPECT_TRUE(claim_attempt(directory_, 1)) << "as the worker does";
  shows("12|FAILED|NonZeroExitCode|hearth-job-a-1\n");
  const ProcessEnd end = end_of(worker);
  EXPECT_EQ(end.what, "Slurm job 12: FAILED (NonZeroExitCode)");
  EXPECT_FALSE(end.never_began);
}

TEST_F(SlurmExecutor, ARunningJobIsSignalledOnceAndAPendingOneIsCancelled) {
  const JobJson worker = start(1);
  ASSERT_TRUE(is_told("sbatch"));
  shows("12|RUNNING|None|hearth-job-a-1\n");
  executor_->stop(worker);
  ASSERT_TRUE(is_told("scancel --signal=TERM --batch 12\n"));
  let_it_ask();
  executor_->stop(worker);  // a pause that was taken back, and another
  let_it_ask();
  EXPECT_EQ(told().find("--signal"), told().rfind("--signal"));
  executor_->kill(worker);
  ASSERT_TRUE(is_told("scancel 12\n"));
  EXPECT_EQ(end_of(worker).what, "Slurm job 12: CANCELLED");

  const JobJson pending = start(2);
  ASSERT_TRUE(is_told("hearth-job-a-2"));
  shows("13|PENDING|Resources|hearth-job-a-2\n");
  executor_->stop(pending);
  ASSERT_TRUE(is_told("scancel 13\n"));
  EXPECT_TRUE(end_of(pending).never_began);
  EXPECT_FALSE(claim_attempt(directory_, 2)) << "no worker may begin it any more";
}

TEST_F(SlurmExecutor, AnEarlierAttemptIsGoneBeforeTheNextIsSubmitted) {
  shows("7|RUNNING|None|hearth-job-a-1\n8|RUNNING|None|hearth-job-ab-1\n9|RUNNING|None|somebody\n");
  start(2);
  ASSERT_TRUE(is_told("sbatch"));
  EXPECT_THAT(told(), testing::StartsWith("scancel 7\nsbatch"));
}

TEST_F(SlurmExecutor, WhatSlurmDoesNotKnowHasEndedAndCannotBegin) {
  const JobJson first = prepare(1);
  const ProcessEnd end = end_of(first);  // of a daemon that was killed before go()
  EXPECT_TRUE(end.never_began);
  EXPECT_FALSE(claim_attempt(directory_, 1));
  const JobJson second = prepare(2);
  claim_attempt(directory_, 2);  // by a worker that ended so long ago that Slurm forgot it
  EXPECT_FALSE(end_of(second).never_began);
  EXPECT_EQ(told(), "");
}

TEST_F(SlurmExecutor, NothingIsConcludedFromNoAnswer) {
  const JobJson worker = start(1);
  ASSERT_TRUE(is_told("sbatch"));
  set("away");
  shows("");
  let_it_ask();
  let_it_ask();
  EXPECT_FALSE(executor_->ended(worker));
  unset("away");
  shows("12|RUNNING|None|hearth-job-a-1\nnonsense\n");
  let_it_ask();
  EXPECT_FALSE(executor_->ended(worker));
  EXPECT_TRUE(executor_->waits(worker)) << "what is no list tells nothing";
  set("hangs");
  let_it_ask();
  const auto began = std::chrono::steady_clock::now();
  executor_->stop(worker);
  EXPECT_FALSE(executor_->ended(worker));
  executor_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10)) << "with a patience of 30 s";
  unset("hangs");
  shows("12|COMPLETED|None|hearth-job-a-1\n");
  restart();
  EXPECT_EQ(end_of(worker).what, "Slurm job 12: COMPLETED");
}

TEST_F(SlurmExecutor, ARefusedSubmissionNeverBegan) {
  set("refuses");
  const ProcessEnd end = end_of(start(1));
  EXPECT_TRUE(end.never_began);
  EXPECT_EQ(end.what, "sbatch: error: invalid partition specified: none");
}

TEST_F(SlurmExecutor, ASubmissionWhoseAnswerIsLostIsFoundByItsName) {
  restart(milliseconds(300));
  set("loses");
  const JobJson worker = start(1);
  ASSERT_TRUE(is_told("sbatch"));
  unset("loses");
  shows("12|RUNNING|None|hearth-job-a-1\n");
  EXPECT_TRUE(soon([&] { return !executor_->waits(worker); }));
  EXPECT_EQ(told().find("sbatch"), told().rfind("sbatch"));
}

TEST(Slurm, WritesWhatItsCommandsReadAndReadsWhatTheyWrite) {
  const std::vector<SlurmJob> jobs = parse_squeue("1|RUNNING|None|a\n2_3|PENDING|Priority|b|c\n");
  ASSERT_EQ(jobs.size(), 2);
  EXPECT_EQ(jobs[1].name, "b|c");
  EXPECT_TRUE(parse_squeue("").empty());
  EXPECT_THROW(parse_squeue("CLUSTER: far\n"), Error);
  EXPECT_EQ(parse_sbatch("12\n"), "12");
  EXPECT_EQ(parse_sbatch("12;far\n"), "12");
  for (const char* bad : {"", "\n", "Submitted batch job 12", "-1"}) EXPECT_THROW(parse_sbatch(bad), Error) << bad;
  EXPECT_TRUE(is_slurm_name_of("job-a", slurm_name("job-a", 12)));
  for (const char* other : {"hearth-job-a-", "hearth-job-ab-1", "hearth-job-a-b-1", "job-a-1"})
    EXPECT_FALSE(is_slurm_name_of("job-a", other)) << other;
  const JobDirectory directory("/it's/job-a");
  EXPECT_THAT(batch_script("/usr/bin/hearth", directory, 3, 1),
              HasSubstr("\nexec '/usr/bin/hearth' worker '/it'\\''s/job-a' --attempt 3\n"));
  EXPECT_THAT(batch_script("/usr/bin/hearth", directory, 3, 2),
              testing::AllOf(HasSubstr("\nexec srun --ntasks=2 "), HasSubstr(" --attempt 3 --processes 2\n")));
  EXPECT_THAT(sbatch_command({.options = {}, .tasks = 2}, directory, "n", "s"), testing::Contains("--ntasks=2"));
  EXPECT_THAT(sbatch_command({}, directory, "n", "s"), Not(testing::Contains("--ntasks=1")));
  EXPECT_THAT(stop_command({"5", "RUNNING", "None", "n"}, 2), ElementsAre("scancel", "--signal=TERM", "5"));
  EXPECT_NO_THROW(check_slurm_options({"--partition=cpu", "-t10"}));
  for (const char* bad : {"partition=cpu", "", "--", "-"}) EXPECT_THROW(check_slurm_options({bad}), Error) << bad;
}

TEST(BoundedCommand, EndsWithTheCommandOrItsPatience) {
  BoundedCommand command;
  const CommandEnd good =
      command.run({"sh", "-c", "head -c 300000 /dev/zero; echo no >&2; exit 3"}, milliseconds(30'000));
  EXPECT_EQ(good.exit_code, 3);
  EXPECT_EQ(good.output.size(), 300'000);
  EXPECT_EQ(good.errors, "no\n");
  const CommandEnd hung = command.run({"sleep", "60"}, milliseconds(50));
  EXPECT_FALSE(hung.exit_code);
  EXPECT_EQ(hung.errors, "sleep did not answer within 1 s");
  EXPECT_EQ(command.run({"no-such-command"}, milliseconds(50)).errors, "there is no no-such-command on PATH");
  command.stop();
  EXPECT_FALSE(command.run({"true"}, milliseconds(30'000)).exit_code);
}

}  // namespace
}  // namespace hearth
