#include "server/worker_pool.h"

#include <thread>
#include <utility>

namespace hearth {

bool WorkerPool::try_run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (static_cast<int>(work_.size()) >= idle_) {
    if (threads_ >= max_threads_) return false;
    std::thread([this] { run(); }).detach();  // shutdown() waits for it
    ++threads_;
    ++idle_;
  }
  work_.push_back(std::move(work));
  wake_.notify_one();
  return true;
}

bool WorkerPool::saturated() const {
  const std::lock_guard lock(mutex_);
  return threads_ >= max_threads_ && static_cast<int>(work_.size()) >= idle_;
}

int WorkerPool::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_;
}

void WorkerPool::shutdown() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  ended_.wait(lock, [this] { return threads_ == 0; });
}

void WorkerPool::run() {
  std::unique_lock lock(mutex_);
  while (wake_.wait_for(lock, idle_time_, [this] { return stopping_ || !work_.empty(); }) && !work_.empty()) {
    std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    --idle_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    ++idle_;
  }
  --idle_;
  --threads_;
  // The pool may be gone as soon as the lock is, so that comes last, with all that belongs to the thread.
  std::notify_all_at_thread_exit(ended_, std::move(lock));
}

}  // namespace hearth
