#include "server/responses/event_log.h"

#include <utility>

namespace hearth {

void EventLog::add(nlohmann::ordered_json event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::make_shared<const nlohmann::ordered_json>(std::move(event)));
  change_.notify_all();
}

void EventLog::end() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  change_.notify_all();
}

size_t EventLog::size() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

EventLog::News EventLog::wait(size_t from, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  change_.wait_for(lock, timeout, [&] { return events_.size() > from || has_ended_; });
  News news;
  news.has_ended = has_ended_;
  if (events_.size() > from) news.events.assign(events_.begin() + static_cast<std::ptrdiff_t>(from), events_.end());
  return news;
}

bool EventLog::wait_for_end(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return change_.wait_for(lock, timeout, [&] { return has_ended_; });
}

}  // namespace hearth
