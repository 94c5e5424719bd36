#include "server/job_stream.h"

#include <chrono>
#include <utility>

#include "server/app.h"
#include "server/jobs/job_service.h"
#include "server/query.h"
#include "server/sse.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPingEvery = std::chrono::seconds(15);
constexpr auto kLook = std::chrono::milliseconds(500);  // how soon a client that is gone is noticed
constexpr int kRows = 200;

class Follower {
 public:
  Follower(App& app, std::string id, int64_t sequence, JobStreamFormat format, const Client* client)
      : app_(app), id_(std::move(id)), sequence_(sequence), format_(std::move(format)), client_(client) {}

  void run(BodyWriter& body) {
    SseWriter writer(body);
    JobStore& store = app_.jobs().store();
    uint64_t seen = 0;
    auto last_written = Clock::now();
    while (app_.state() != App::State::kDraining && !(client_ && client_->gone())) {
      seen = store.wait_for_change(seen, kLook);
      const Job job = store.get(id_);  // before its events: what it ends with is among them
      bool wrote = false;
      if (!write_events(writer, wrote) || !write_progress(job, writer, wrote)) return;
      if (is_final(job.state)) {
        writer.done();
        return;
      }
      if (wrote) last_written = Clock::now();
      if (Clock::now() - last_written < kPingEvery) continue;
      if (!writer.ping()) return;
      last_written = Clock::now();
    }
  }

 private:
  // -> whether the client is there
  bool write_events(SseWriter& writer, bool& wrote) {
    for (;;) {
      const std::vector<JobEvent> events = app_.jobs().store().events_since(id_, sequence_, kRows);
      for (const JobEvent& event : events) {
        if (!writer.event(format_.event(event), event.id)) return false;
        sequence_ = event.sequence;
        wrote = true;
      }
      if (events.size() < kRows) return true;
    }
  }

  bool write_progress(const Job& job, SseWriter& writer, bool& wrote) {
    if (!format_.progress) return true;
    JobJson now = format_.progress(job);
    if (now == shown_) return true;
    shown_ = std::move(now);
    wrote = true;
    return writer.event(shown_);
  }

  App& app_;
  const std::string id_;
  int64_t sequence_;
  const JobStreamFormat format_;
  const Client* client_;
  JobJson shown_;
};

}  // namespace

bool wants_stream(const Request& request) {
  return Query(request.query).get("stream") == "true" ||
         request.header("Accept").value_or("").find("text/event-stream") != std::string_view::npos;
}

Reply job_stream(const Request& request, App& app, const std::string& id, JobStreamFormat format) {
  app.jobs().store().get(id);
  const Query query(request.query);
  std::optional<std::string_view> after = query.get("after");
  if (!after) after = request.header("Last-Event-ID");
  const int64_t sequence = after ? app.jobs().store().event_sequence(id, *after) : 0;
  auto follower = std::make_shared<Follower>(app, id, sequence, std::move(format), request.client);
  return sse_reply([follower](BodyWriter& body) { follower->run(body); });
}

}  // namespace hearth
