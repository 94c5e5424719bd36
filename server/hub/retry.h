// Tries again what a bad network or a busy server made fail.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "runtime/base/error.h"

namespace hearth {

struct RetryPolicy {
  int attempts = 6;  // in a row without progress
  std::chrono::milliseconds first_wait{500};
  std::chrono::milliseconds longest_wait{30'000};
};

// kUnavailable, and when the server would like to be asked again.
class RetryLater : public Error {
 public:
  RetryLater(const std::string& message, std::chrono::seconds after)
      : Error(ErrorCode::kUnavailable, message), after_(after) {}
  std::chrono::seconds after() const { return after_; }

 private:
  std::chrono::seconds after_;
};

// Sleeps; throws kCancelled as soon as `cancelled` is set.
inline void sleep_unless_cancelled(std::chrono::milliseconds duration, const std::atomic<bool>& cancelled) {
  const auto until = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < until) {
    if (cancelled) throw hearth::cancelled("interrupted");
    std::this_thread::sleep_for(std::min(duration, std::chrono::milliseconds(50)));
  }
}

// Calls attempt() until it does not throw kUnavailable; `progress()` is a number that changes when an attempt got
// somewhere, which starts the count and the doubling waits afresh.
template <class Attempt, class Progress>
void with_retries(const RetryPolicy& policy, const std::atomic<bool>& cancelled, const Attempt& attempt,
                  const Progress& progress) {
  auto wait = policy.first_wait;
  for (int failures = 0;;) {
    const uint64_t before = progress();
    std::chrono::milliseconds asked{0};
    try {
      return attempt();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnavailable || cancelled) throw;
      if (const auto* later = dynamic_cast<const RetryLater*>(&error)) asked = later->after();
      if (progress() != before) {
        failures = 0;
        wait = policy.first_wait;
      }
      if (++failures >= policy.attempts)
        throw unavailable("{} (gave up after {} attempts; run it again later, it goes on from here)", error.what(),
                          failures);
    }
    sleep_unless_cancelled(std::min(std::max(wait, asked), policy.longest_wait), cancelled);
    wait = std::min(wait * 2, policy.longest_wait);
  }
}

}  // namespace hearth
