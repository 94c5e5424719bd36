#include "server/rate_limiter.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace hearth {
namespace {

constexpr double kDecay = 0.2;  // of the running mean of a key's requests

double seconds(RateLimiter::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// As OpenAI writes it: "1m26s", "6s".
std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  return whole < 60 ? fmt::format("{}s", whole) : fmt::format("{}m{}s", whole / 60, whole % 60);
}

}  // namespace

class RateLimiter::Slot {
 public:
  Slot(RateLimiter& limiter, Caller& caller, Clock::time_point since)
      : limiter_(limiter), caller_(caller), since_(since) {}
  ~Slot() { limiter_.release(caller_, since_); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 private:
  RateLimiter& limiter_;
  Caller& caller_;
  Clock::time_point since_;
};

std::shared_ptr<const Admission> RateLimiter::admit(const ApiKey* key, Clock::time_point now) {
  auto admission = std::make_shared<Admission>();
  if (key) admission->key_name = key->name;
  const std::lock_guard lock(mutex_);
  Caller& caller = callers_[admission->key_name];
  if (limits_.requests_in_flight > 0 && caller.in_flight >= limits_.requests_in_flight) {
    // One of them is done after about this long, if they are evenly on their way.
    admission->refusal = too_many(admission->key_name, fmt::format("{} requests at a time", limits_.requests_in_flight),
                                  caller.mean_seconds / (caller.in_flight + 1));
    return admission;
  }
  const int per_minute =
      key ? key->requests_per_minute.value_or(limits_.requests_per_minute) : limits_.requests_per_minute;
  if (per_minute > 0) admission->refusal = take_token(caller, per_minute, now, *admission);
  if (admission->refusal) return admission;
  ++caller.in_flight;
  admission->slot = std::make_shared<const Slot>(*this, caller, now);
  return admission;
}

std::optional<ApiError> RateLimiter::take_token(Caller& caller, int limit, Clock::time_point now,
                                                Admission& admission) const {
  const double a_second = limit / 60.0;
  const double filled = caller.filled ? caller.tokens + seconds(now - *caller.filled) * a_second : limit;
  caller.tokens = std::min<double>(filled, limit);
  caller.filled = now;
  std::optional<ApiError> refusal;
  if (caller.tokens < 1)
    refusal = too_many(admission.key_name, fmt::format("{} requests a minute", limit), (1 - caller.tokens) / a_second);
  else
    caller.tokens -= 1;
  admission.headers.emplace("x-ratelimit-limit-requests", fmt::format("{}", limit));
  admission.headers.emplace("x-ratelimit-remaining-requests", fmt::format("{:.0f}", std::floor(caller.tokens)));
  admission.headers.emplace("x-ratelimit-reset-requests", duration_text((limit - caller.tokens) / a_second));
  return refusal;
}

void RateLimiter::release(Caller& caller, Clock::time_point since) {
  const double took = seconds(Clock::now() - since);
  const std::lock_guard lock(mutex_);
  --caller.in_flight;
  caller.mean_seconds = caller.mean_seconds == 0 ? took : caller.mean_seconds + kDecay * (took - caller.mean_seconds);
}

ApiError RateLimiter::too_many(const std::string& key, const std::string& limit, double seconds) {
  const int wait = std::max(1, static_cast<int>(std::ceil(seconds)));
  const std::string whose = key.empty() ? "clients without a key" : fmt::format("the key '{}'", key);
  return {ErrorCode::kResourceExhausted,
          fmt::format("{} may make {}; try again in {} s", whose, limit, wait),
          {.code = "rate_limit_exceeded", .status = 429, .retry_after_seconds = wait}};
}

}  // namespace hearth
