// Responses that go on when their client has left: each is stored when it is taken, runs on a thread of its own, and
// can be followed and cancelled meanwhile. One that a daemon left behind is found failed by the next. Thread-safe.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>

#include "server/responses/event_log.h"
#include "server/responses/response_run.h"
#include "server/stored/answer_store.h"

namespace hearth {

class BackgroundResponses {
 public:
  // `store` may be null: there are none then, and none can be started.
  explicit BackgroundResponses(AnswerStore* store);
  ~BackgroundResponses();  // stop()
  BackgroundResponses(const BackgroundResponses&) = delete;
  BackgroundResponses& operator=(const BackgroundResponses&) = delete;

  // Throws a 503 while as many run as may, or after stop().
  std::shared_ptr<const EventLog> start(std::shared_ptr<ResponseRun> run);
  // Null: none of that id runs, so what is stored of it is how it ended.
  std::shared_ptr<const EventLog> running(std::string_view id) const;
  // Nothing where it has ended; else it ends within moments.
  void cancel(std::string_view id);
  // -> whether all have ended in time
  bool wait_idle(std::chrono::milliseconds timeout) const;
  // Takes no more, and ends those that run: they are failed.
  void stop();

 private:
  class Background;
  std::shared_ptr<Background> find(std::string_view id) const;

  mutable std::mutex mutex_;
  std::list<std::shared_ptr<Background>> running_;  // and some that have ended a while ago
  bool is_stopped_ = false;
};

}  // namespace hearth
