#include "server/worker/worker_process.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth {
namespace {

constexpr auto kBeat = std::chrono::seconds(2);
constexpr int kInterrupted = 130;

void touch(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;  // the daemon notices
  ::futimens(fd, nullptr);
  ::close(fd);
}

// -> bytes, 0 at the end
ssize_t read_input(char* data, size_t size) {
  ssize_t count;
  do count = ::read(STDIN_FILENO, data, size);
  while (count < 0 && errno == EINTR);
  return count;
}

}  // namespace

Heartbeat::Heartbeat(std::filesystem::path file)
    : thread_([this, path = std::move(file)] {
        std::unique_lock lock(mutex_);
        do touch(path);
        while (!change_.wait_for(lock, kBeat, [this] { return ends_; }));
      }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  change_.notify_all();
  thread_.join();
}

bool wait_for_go() {
  char c = 0;
  while (c != '\n')
    if (read_input(&c, 1) <= 0) return false;
  return true;
}

void end_with_input(std::atomic<bool>& stop, const std::atomic<bool>& saves) {
  std::thread([&stop, &saves] {
    char ignored[64];
    while (read_input(ignored, sizeof(ignored)) > 0) {
    }
    stop = true;
    if (!saves) ::_exit(kInterrupted);
  }).detach();  // it blocks until the process ends, one way or the other
}

void run_in_background() {
  constexpr int kProcess = 1, kIdleClass = 3 << 13;  // of ioprio_set(2)
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_IDLE, &none);
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::syscall(SYS_ioprio_set, kProcess, 0, kIdleClass);
}

}  // namespace hearth
