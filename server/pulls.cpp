#include "server/pulls.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/hub/pull.h"
#include "server/hub/pull_name.h"
#include "server/ids.h"
#include "server/state/clock.h"

namespace hearth {
namespace {

constexpr int kMostAtOnce = 2, kRetrySeconds = 30;
constexpr size_t kMostKept = 20;

}  // namespace

std::string_view to_string(PullState state) {
  switch (state) {
    case PullState::kRunning:
      return "running";
    case PullState::kSucceeded:
      return "succeeded";
    case PullState::kFailed:
      return "failed";
    case PullState::kCancelled:
      break;
  }
  return "cancelled";
}

class Pulls::Pull : public PullProgress {
 public:
  Pull(std::string name, HubReference reference, PullOptions options, Serve serve)
      : reference_(std::move(reference)), options_(std::move(options)), serve_(std::move(serve)) {
    status_.id = random_id("pull-");
    status_.name = std::move(name);
    status_.started_at = unix_milliseconds();
    thread_ = std::thread([this] { run(); });
  }
  ~Pull() override {
    cancelled_ = true;
    thread_.join();
  }
  Pull(const Pull&) = delete;
  Pull& operator=(const Pull&) = delete;

  const std::string& id() const { return status_.id; }
  const std::string& name() const { return status_.name; }
  void cancel() { cancelled_ = true; }
  PullStatus status() const {
    const std::lock_guard lock(mutex_);
    PullStatus now = status_;
    now.bytes = static_cast<uint64_t>(std::max<int64_t>(bytes_, 0));
    now.files = files_;
    return now;
  }

 private:
  void start(uint64_t total_bytes, uint64_t present_bytes) override {
    const std::lock_guard lock(mutex_);
    status_.total_bytes = total_bytes;
    bytes_ = static_cast<int64_t>(present_bytes);
  }
  void add(int64_t bytes) override { bytes_ += bytes; }
  void file_done(std::string_view, uint64_t) override { ++files_; }

  void run() {
    try {
      pull(reference_, options_, *this, cancelled_);
      end(PullState::kSucceeded, "", serve_(status_.name));
    } catch (const Error& error) {
      end(error.code() == ErrorCode::kCancelled ? PullState::kCancelled : PullState::kFailed, error.what(), "");
    } catch (const std::exception& error) {
      log::error("pull {}: {}", status_.name, error.what());
      end(PullState::kFailed, "internal error; the server's log has the cause", "");
    }
  }
  void end(PullState state, const std::string& error, std::string model) {
    log::info("pull {}: {} {}", status_.name, to_string(state), state == PullState::kSucceeded ? model : error);
    const std::lock_guard lock(mutex_);
    status_.state = state;
    if (state == PullState::kFailed) status_.error = error;
    status_.model = std::move(model);
    status_.finished_at = unix_milliseconds();
  }

  const HubReference reference_;
  const PullOptions options_;
  const Serve serve_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> bytes_{0}, files_{0};
  mutable std::mutex mutex_;  // of status_, but for id and name
  PullStatus status_;
  std::thread thread_;
};

Pulls::Pulls(Serve serve, RetryPolicy retry) : serve_(std::move(serve)), retry_(retry) {}
Pulls::~Pulls() { stop(); }

int Pulls::count_running() const {
  return static_cast<int>(std::count_if(pulls_.begin(), pulls_.end(),
                                        [](const auto& pull) { return pull->status().state == PullState::kRunning; }));
}

void Pulls::forget_old() {
  for (auto it = std::prev(pulls_.end()); pulls_.size() > kMostKept; --it)
    if ((*it)->status().state != PullState::kRunning) it = pulls_.erase(it);
}

PullStatus Pulls::start(const std::string& name) {
  PullOptions options;
  const HubReference reference = reference_to_pull(name);
  options.access = hub_access_from_environment();
  options.retry = retry_;
  const std::lock_guard lock(mutex_);
  if (stopped_) throw unavailable("the server is shutting down");
  for (const auto& pull : pulls_)
    if (pull->name() == name && pull->status().state == PullState::kRunning) return pull->status();
  if (count_running() >= kMostAtOnce)
    throw ApiError(ErrorCode::kResourceExhausted,
                   fmt::format("{} models are being pulled already: wait for one, or cancel it", kMostAtOnce),
                   {.code = "too_many_pulls", .status = 429, .retry_after_seconds = kRetrySeconds});
  pulls_.push_front(std::make_unique<Pull>(name, reference, std::move(options), serve_));
  forget_old();
  return pulls_.front()->status();
}

std::vector<PullStatus> Pulls::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<PullStatus> all;
  for (const auto& pull : pulls_) all.push_back(pull->status());
  return all;
}

PullStatus Pulls::cancel(std::string_view id) {
  const std::lock_guard lock(mutex_);
  for (const auto& pull : pulls_) {
    if (pull->id() != id) continue;
    const PullStatus status = pull->status();
    if (status.state != PullState::kRunning)
      throw failed_precondition("the pull of '{}' has {}", status.name, to_string(status.state));
    pull->cancel();
    return status;
  }
  throw not_found("there is no pull '{}'", id.substr(0, 64));
}

void Pulls::stop() {
  std::list<std::unique_ptr<Pull>> leaving;  // joined after the lock, side by side
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& pull : pulls_) pull->cancel();
  leaving.swap(pulls_);
}

}  // namespace hearth
