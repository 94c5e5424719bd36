// `hearth pull` for those who are not at the machine: downloads in the background, two at a time, whose models are
// served when they are whole. What is cut short goes on when it is pulled again. Kept in memory alone. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/hub/retry.h"

namespace hearth {

enum class PullState { kRunning, kSucceeded, kFailed, kCancelled };
std::string_view to_string(PullState state);

struct PullStatus {
  std::string id;    // "pull-..."
  std::string name;  // as it was asked for
  PullState state = PullState::kRunning;
  uint64_t bytes = 0;                        // that are there, those of earlier pulls too
  std::optional<uint64_t> total_bytes = {};  // once the hub has said it
  int64_t files = 0;                         // that this pull has fetched
  std::string error = {};                    // of a failed one
  int64_t started_at = 0;                    // unix milliseconds
  std::optional<int64_t> finished_at = {};
  std::string model = {};  // the id under which it is served; empty: not yet
};

class Pulls {
 public:
  // Makes the model known that was pulled by this name; -> its id. Called on a pull's thread; what it throws is the
  // pull's error.
  using Serve = std::function<std::string(const std::string& name)>;

  explicit Pulls(Serve serve, RetryPolicy retry = {});
  ~Pulls();  // stop()
  Pulls(const Pulls&) = delete;
  Pulls& operator=(const Pulls&) = delete;

  // The one that runs, where there is one of that name. Throws kInvalidArgument for what is no model of a hub,
  // kFailedPrecondition with HF_HUB_OFFLINE=1, a 429 while two others run, a 503 after stop().
  PullStatus start(const std::string& name);
  std::vector<PullStatus> list() const;  // newest first, the last 20
  // It ends within moments. Throws kNotFound, kFailedPrecondition for one that has ended.
  PullStatus cancel(std::string_view id);
  // Ends those that run.
  void stop();

 private:
  class Pull;
  int count_running() const;
  void forget_old();

  const Serve serve_;
  const RetryPolicy retry_;
  mutable std::mutex mutex_;
  std::list<std::unique_ptr<Pull>> pulls_;  // newest first
  bool stopped_ = false;
};

}  // namespace hearth
