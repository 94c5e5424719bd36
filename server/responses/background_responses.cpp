#include "server/responses/background_responses.h"

#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/responses/response_object.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostAtOnce = 64;
constexpr int kRetrySeconds = 10;

// What a daemon that died was at.
void fail_unfinished(AnswerStore& store) {
  for (StoredAnswer& answer : store.unfinished()) {
    answer.object = failed_response(std::move(answer.object), nlohmann::ordered_json::array(), daemon_ended());
    answer.pieces = nlohmann::ordered_json::array();
    store.finish(answer, {});
  }
}

}  // namespace

class BackgroundResponses::Background {
 public:
  explicit Background(std::shared_ptr<ResponseRun> run)
      : id_(run->id()), run_(std::move(run)), log_(std::make_shared<EventLog>()), thread_([this] { follow(); }) {}
  ~Background() { thread_.join(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  const std::string& id() const { return id_; }
  const std::shared_ptr<EventLog>& log() const { return log_; }
  bool has_ended() const { return log_->wait_for_end(std::chrono::milliseconds(0)); }
  void cancel() {
    const std::lock_guard lock(mutex_);
    if (run_) run_->cancel();
  }
  void shut_down() {
    const std::lock_guard lock(mutex_);
    if (run_) run_->shut_down();
  }

 private:
  void follow() {
    try {
      run_->run([this](const nlohmann::ordered_json& event) { log_->add(event); }, [] {});
    } catch (const std::exception& error) {
      log::error("{}: {}", id_, error.what());
    }
    const std::lock_guard lock(mutex_);
    run_.reset();  // it holds its model in memory
    log_->end();
  }

  const std::string id_;
  std::mutex mutex_;                  // of run_'s end
  std::shared_ptr<ResponseRun> run_;  // null: it has ended
  const std::shared_ptr<EventLog> log_;
  std::thread thread_;
};

BackgroundResponses::BackgroundResponses(AnswerStore* store) {
  if (store) fail_unfinished(*store);
}

BackgroundResponses::~BackgroundResponses() { stop(); }

std::shared_ptr<const EventLog> BackgroundResponses::start(std::shared_ptr<ResponseRun> run) {
  const std::lock_guard lock(mutex_);
  if (is_stopped_) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down", {.code = "shutting_down"});
  running_.remove_if([](const auto& one) { return one->has_ended(); });
  if (running_.size() >= kMostAtOnce)
    throw ApiError(ErrorCode::kResourceExhausted,
                   fmt::format("{} responses run in the background already: wait for one, or cancel it", kMostAtOnce),
                   {.code = "server_overloaded", .retry_after_seconds = kRetrySeconds});
  run->keep_beginning();
  running_.push_back(std::make_shared<Background>(std::move(run)));
  return running_.back()->log();
}

std::shared_ptr<BackgroundResponses::Background> BackgroundResponses::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& one : running_)
    if (one->id() == id && !one->has_ended()) return one;
  return nullptr;
}

std::shared_ptr<const EventLog> BackgroundResponses::running(std::string_view id) const {
  const auto found = find(id);
  return found ? found->log() : nullptr;
}

void BackgroundResponses::cancel(std::string_view id) {
  if (const auto found = find(id)) found->cancel();
}

bool BackgroundResponses::wait_idle(std::chrono::milliseconds timeout) const {
  const auto deadline = Clock::now() + timeout;
  const auto all = [this] {
    const std::lock_guard lock(mutex_);
    return running_;
  }();
  for (const auto& one : all) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (!one->log()->wait_for_end(std::max(left, std::chrono::milliseconds(0)))) return false;
  }
  return true;
}

void BackgroundResponses::stop() {
  const auto all = [this] {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    return std::exchange(running_, {});
  }();
  for (const auto& one : all) one->shut_down();  // and each is waited for
}

}  // namespace hearth
