#include "server/jobs/bounded_command.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/process.hpp>
#include <boost/process/async.hpp>
#include <boost/process/extend.hpp>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth {
namespace {

namespace process = boost::process;
using Clock = std::chrono::steady_clock;

// What would change what squeue and scancel are asked for, and what no job needs to know.
constexpr std::array<std::string_view, 3> kUnwanted = {"SQUEUE_", "SCANCEL_", "HEARTH_API_KEY"};

process::environment environment() {
  const process::native_environment ours = boost::this_process::environment();
  process::environment wanted = ours;
  for (const auto& entry : ours)
    if (std::ranges::any_of(kUnwanted, [&](std::string_view prefix) { return entry.get_name().starts_with(prefix); }))
      wanted.erase(entry.get_name());
  return wanted;
}

// On PATH; empty where it is not.
std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string program = (std::filesystem::path(directory) / name).string();
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

bool is_there(const std::future<std::string>& text) {
  return text.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

// Its exit code, if it ends before the deadline.
std::optional<int> wait_until(process::child& child, Clock::time_point deadline) {
  std::error_code failed;
  while (child.running(failed) && !failed) {
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return failed ? std::nullopt : std::optional(child.exit_code());
}

}  // namespace

bool BoundedCommand::is_installed(const std::string& program) { return !find_program(program).empty(); }

CommandEnd BoundedCommand::run(const std::vector<std::string>& arguments, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  const std::string program = find_program(arguments.front());
  if (program.empty()) return {std::nullopt, "", fmt::format("there is no {} on PATH", arguments.front())};
  boost::asio::io_context loop;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return {std::nullopt, "", "stopped"};
    running_ = &loop;
  }
  std::future<std::string> output, errors;
  std::error_code failed;
  process::child child(
      process::exe = program, process::args = std::vector(arguments.begin() + 1, arguments.end()), environment(),
      process::std_in<process::null, process::std_out> output, process::std_err > errors, loop,
      process::extend::on_exec_setup =
          [](auto&) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);  // clients' sockets
          },
      failed);
  if (!failed) loop.run_for(patience);
  {
    const std::lock_guard lock(mutex_);
    running_ = nullptr;
  }
  if (failed) return {std::nullopt, "", fmt::format("{} cannot be started: {}", arguments.front(), failed.message())};
  std::optional<int> exit_code;
  if (is_there(output) && is_there(errors)) exit_code = wait_until(child, deadline);
  if (!exit_code) {
    child.terminate(failed);
    return {std::nullopt, "",
            fmt::format("{} did not answer within {} s", arguments.front(),
                        std::chrono::ceil<std::chrono::seconds>(patience).count())};
  }
  return {exit_code, output.get(), errors.get()};
}

void BoundedCommand::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (running_) running_->stop();
}

}  // namespace hearth
