// Threads that grow with the work up to a limit and end when there is none for a while; work beyond the limit is
// refused instead of queued, so that a client hears of it at once. An open stream holds a thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace hearth {

class WorkerPool {
 public:
  explicit WorkerPool(int max_threads, std::chrono::milliseconds idle_time = std::chrono::seconds(5))
      : max_threads_(max_threads), idle_time_(idle_time) {}
  ~WorkerPool() { shutdown(); }

  // False, and `work` is not run, when all threads are busy and there may be no more. `work` must not throw.
  bool try_run(std::function<void()> work);
  // True while a further connection would be refused.
  bool saturated() const;
  int threads() const;
  // Waits for what runs.
  void shutdown();

 private:
  void run();

  const int max_threads_;
  const std::chrono::milliseconds idle_time_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<std::function<void()>> work_;
  int threads_ = 0, idle_ = 0;
  bool stopping_ = false;
};

}  // namespace hearth
