#include "server/worker_pool.h"

namespace hearth {

bool WorkerPool::try_run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (static_cast<int>(work_.size()) >= idle_) {
    if (static_cast<int>(threads_.size()) >= max_threads_) return false;
    threads_.emplace_back([this] { run(); });
    ++idle_;
  }
  work_.push_back(std::move(work));
  wake_.notify_one();
  return true;
}

bool WorkerPool::saturated() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(threads_.size()) >= max_threads_ && static_cast<int>(work_.size()) >= idle_;
}

void WorkerPool::shutdown() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (work_.empty()) return;
    const std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    --idle_;
    lock.unlock();
    work();
    lock.lock();
    ++idle_;
  }
}

}  // namespace hearth
