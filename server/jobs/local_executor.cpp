#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <system_error>

#include <boost/process.hpp>
#include <boost/process/extend.hpp>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "server/jobs/executor.h"

namespace hearth {
namespace {

namespace process = boost::process;

// The field of /proc/PID/stat that tells two processes with one number apart: when it started, in ticks since the
// machine did. Nothing when there is no such process, or it has ended and nobody has asked for how.
std::optional<int64_t> start_ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const size_t name_end = text.rfind(')');  // the name may have blanks and parentheses in it
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") return std::nullopt;
  for (int i = 4; i <= 22; ++i) fields >> field;
  return std::stoll(field);
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

ProcessEnd describe(int status) {
  if (WIFSIGNALED(status)) return {fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))};
  return {fmt::format("exit code {}", WEXITSTATUS(status))};
}

struct Child {
  process::child process;
  process::pipe input;  // no stream: one with something left to say throws where it ends
};

class LocalExecutor : public Executor {
 public:
  LocalExecutor() { std::signal(SIGPIPE, SIG_IGN); }  // a worker may end before it is told to go

  bool starts_children() const override { return true; }

  JobJson start(const JobDirectory& directory, const Attempt& attempt) override {
    const int log = ::open(directory.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) throw unavailable("{}: cannot be written: {}", directory.log().string(), std::strerror(errno));
    Child child;
    std::error_code failed;
    const std::string path = directory.path().string();
    child.process = process::child(
        process::exe = "/proc/self/exe", process::args = {"worker", path}, process::std_in < child.input,
        process::extend::on_exec_setup =
            [log](auto&) {
              ::dup2(log, STDOUT_FILENO);
              ::dup2(log, STDERR_FILENO);
              ::setsid();  // Ctrl-C in the daemon's terminal is the daemon's
              // Clients' sockets would stay open as long as the job runs.
              ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
            },
        failed);
    ::close(log);
    if (failed) throw unavailable("job {}: no worker can be started: {}", attempt.id, failed.message());
    const pid_t pid = child.process.id();
    children_.insert_or_assign(pid, std::move(child));
    return {{"executor", "local"}, {"pid", pid}, {"started", start_ticks(pid).value_or(0)}, {"boot", boot_id()}};
  }

  void go(const JobJson& worker) override {
    const auto child = children_.find(pid_of(worker));
    if (child == children_.end()) return;
    constexpr std::string_view kGo = "go\n";
    // A worker that has ended does not hear it, and ended() says so.
    while (::write(child->second.input.native_sink(), kGo.data(), kGo.size()) < 0 && errno == EINTR) {
    }
  }

  void stop(const JobJson& worker) override { send(worker, SIGTERM); }
  void kill(const JobJson& worker) override { send(worker, SIGKILL); }

  std::optional<ProcessEnd> ended(const JobJson& worker) override {
    const auto child = children_.find(pid_of(worker));
    if (child == children_.end()) return is_alive(worker) ? std::nullopt : std::optional(ProcessEnd{"ended unseen"});
    std::error_code failed;
    if (child->second.process.running(failed) && !failed) return std::nullopt;
    const ProcessEnd end = describe(child->second.process.native_exit_code());
    children_.erase(child);
    return end;
  }

 private:
  static pid_t pid_of(const JobJson& worker) { return worker.value("pid", pid_t{0}); }

  static bool is_alive(const JobJson& worker) {
    const pid_t pid = pid_of(worker);
    return pid > 0 && worker.value("boot", "") == boot_id() && start_ticks(pid) == worker.value("started", int64_t{-1});
  }

  static void send(const JobJson& worker, int signal) {
    if (is_alive(worker)) ::kill(pid_of(worker), signal);
  }

  std::map<pid_t, Child> children_;
};

}  // namespace

std::unique_ptr<Executor> make_local_executor() { return std::make_unique<LocalExecutor>(); }

}  // namespace hearth
