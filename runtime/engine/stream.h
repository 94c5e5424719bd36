// The one-way channel from the inference thread to the thread that serves a request.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "runtime/engine/request.h"

namespace hearth {

class Stream {
 public:
  // The next event, or nothing when none came in time. After kFinished there is nothing more. One reader.
  std::optional<StreamEvent> next(std::chrono::milliseconds timeout);
  // Asks the engine to drop the sequence: queued, in prefill or decoding, within one step. Any thread; further calls do
  // nothing. A stream that its reader let go of counts as cancelled.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  void push(StreamEvent event);  // the engine's side

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<StreamEvent> events_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace hearth
