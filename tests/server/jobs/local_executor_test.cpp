// Workers that end at once, as they do when somebody kills them: the daemon goes on.
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "server/jobs/executor.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

// The executor starts this very program as `worker DIRECTORY`.
const bool kIsNoWorker = [] {
  std::ifstream file("/proc/self/cmdline");
  const std::string arguments{std::istreambuf_iterator<char>(file), {}};
  if (arguments.find(std::string("\0worker\0", 8)) != std::string::npos) ::_exit(3);
  return true;
}();

bool is_zombie(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.find(") Z ") != std::string::npos;
}

TEST(LocalExecutor, AWorkerThatHasEndedIsToldToGoAllTheSame) {
  ASSERT_TRUE(kIsNoWorker);
  const test::TemporaryDirectory scratch;
  const JobDirectory directory(scratch.path());
  for (int round = 0; round < 3; ++round) {
    const std::unique_ptr<Executor> executor = make_local_executor();
    Attempt attempt;
    attempt.id = "job-1";
    const JobJson worker = executor->start(directory, attempt);
    ASSERT_TRUE(test::soon([&] { return is_zombie(worker["pid"]); }));
    executor->go(worker);
    executor->go(worker);
    std::optional<ProcessEnd> end;
    ASSERT_TRUE(test::soon([&] { return (end = executor->ended(worker)).has_value(); }));
    EXPECT_THAT(end->what, testing::HasSubstr("exit code 3"));
  }
}

}  // namespace
}  // namespace hearth
