// Threads that grow with the work up to a limit; work beyond it is refused instead of queued, so that a client hears of
// it at once. An open stream holds a thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth {

class WorkerPool {
 public:
  explicit WorkerPool(int max_threads) : max_threads_(max_threads) {}
  ~WorkerPool() { shutdown(); }

  // False, and `work` is not run, when all threads are busy and there may be no more. `work` must not throw.
  bool try_run(std::function<void()> work);
  // True while a further connection would be refused.
  bool saturated() const;
  // Waits for what runs.
  void shutdown();

 private:
  void run();

  const int max_threads_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  std::vector<std::thread> threads_;
  int idle_ = 0;
  bool stopping_ = false;
};

}  // namespace hearth
