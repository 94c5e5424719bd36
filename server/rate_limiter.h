// How many requests a key may make: so many a minute (a token bucket, which holds a minute's number) and so many at a
// time. Where no keys are asked for, all clients are one. What is refused is told when to come back, from the bucket or
// from how long that key's requests took of late.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/api_error.h"
#include "server/http_types.h"
#include "server/keys/api_key.h"

namespace hearth {

struct RateLimits {
  int requests_per_minute = 0;  // 0: as many as it likes
  int requests_in_flight = 0;   // the same
};

// What became of a request; while it lives the request counts as in flight.
struct Admission {
  std::string key_name = {};             // empty: none was asked for
  Headers headers = {};                  // x-ratelimit-*, of every reply to it
  std::optional<ApiError> refusal = {};  // a 429
  std::shared_ptr<const void> slot = {};
};

class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  explicit RateLimiter(RateLimits limits) : limits_(limits) {}

  // `key`: null where none was asked for; its own requests_per_minute counts more than the limiter's. Thread-safe; the
  // limiter outlives what it returns.
  std::shared_ptr<const Admission> admit(const ApiKey* key, Clock::time_point now);

 private:
  struct Caller {
    double tokens = 0;  // of its bucket, at the time below
    std::optional<Clock::time_point> filled;
    int in_flight = 0;
    double mean_seconds = 0;  // of its requests of late; 0: none has ended
  };
  class Slot;

  static ApiError too_many(const std::string& key, const std::string& limit, double seconds);
  std::optional<ApiError> take_token(Caller& caller, int limit, Clock::time_point now, Admission& admission) const;
  void release(Caller& caller, Clock::time_point since);

  const RateLimits limits_;
  std::mutex mutex_;
  std::map<std::string, Caller> callers_;  // by the key's name; never erased, so references stay
};

}  // namespace hearth
