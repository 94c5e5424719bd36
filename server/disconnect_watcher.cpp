#include "server/disconnect_watcher.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {

class DisconnectWatcher::Watch {
 public:
  Watch(DisconnectWatcher& watcher, int fd, uint64_t id) : watcher_(watcher), fd_(fd), id_(id) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    const std::lock_guard lock(watcher_.mutex_);
    watcher_.callbacks_.erase(id_);
    ::epoll_ctl(watcher_.epoll_, EPOLL_CTL_DEL, fd_, nullptr);
  }

 private:
  DisconnectWatcher& watcher_;
  int fd_;
  uint64_t id_;
};

DisconnectWatcher::DisconnectWatcher() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
    throw unavailable("cannot watch connections: {}", std::strerror(errno));
  thread_ = std::thread([this] { run(); });
}

DisconnectWatcher::~DisconnectWatcher() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));  // an eventfd takes it
  thread_.join();
  ::close(wake_);
  ::close(epoll_);
}

std::shared_ptr<void> DisconnectWatcher::watch(int fd, std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  const uint64_t id = next_id_++;
  epoll_event event{.events = EPOLLRDHUP | EPOLLONESHOT, .data = {.u64 = id}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
    throw internal_error("cannot watch socket {}: {}", fd, std::strerror(errno));
  callbacks_.emplace(id, std::move(callback));
  return std::make_shared<Watch>(*this, fd, id);
}

void DisconnectWatcher::run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == 0) return;
      const auto it = callbacks_.find(events[i].data.u64);
      if (it == callbacks_.end()) continue;
      it->second();
      callbacks_.erase(it);
    }
  }
}

}  // namespace hearth
