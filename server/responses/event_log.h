// What a response in the background has told so far, for any number of followers. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

class EventLog {
 public:
  using Event = std::shared_ptr<const nlohmann::ordered_json>;

  void add(nlohmann::ordered_json event);
  void end();

  size_t size() const;
  struct News {
    std::vector<Event> events;
    bool has_ended = false;  // no more will come behind them
  };
  // Those from number `from` on; waits for one, or for the end, as long as `timeout`.
  News wait(size_t from, std::chrono::milliseconds timeout) const;
  // -> whether it has ended in time
  bool wait_for_end(std::chrono::milliseconds timeout) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable change_;
  std::vector<Event> events_;
  bool has_ended_ = false;
};

}  // namespace hearth
