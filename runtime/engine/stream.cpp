#include "runtime/engine/stream.h"

#include <utility>

namespace hearth {

std::optional<StreamEvent> Stream::next(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!ready_.wait_for(lock, timeout, [&] { return !events_.empty(); })) return std::nullopt;
  StreamEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void Stream::push(StreamEvent event) {
  event.time = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  ready_.notify_one();
}

}  // namespace hearth
