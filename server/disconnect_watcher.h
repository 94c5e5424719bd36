// Tells at once when a client goes away, also while its request is queued or being computed and nobody reads from or
// writes to its socket: one thread waits for the hang-up of all watched sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace hearth {

class DisconnectWatcher {
 public:
  DisconnectWatcher();
  ~DisconnectWatcher();
  DisconnectWatcher(const DisconnectWatcher&) = delete;
  DisconnectWatcher& operator=(const DisconnectWatcher&) = delete;

  // `callback` runs on the watcher's thread, at most once; it must be short and must not call the watcher. Destroying
  // what is returned ends the watch. A socket has one watch at a time.
  std::shared_ptr<void> watch(int fd, std::function<void()> callback);

 private:
  class Watch;
  void run();

  int epoll_, wake_;
  std::mutex mutex_;  // held while a callback runs
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::function<void()>> callbacks_;
  std::thread thread_;
};

}  // namespace hearth
