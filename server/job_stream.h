// A job followed live, as server-sent events: what it told since some event, oldest first, then what it tells, until it
// has ended, the client is gone or the daemon drains.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/http_types.h"
#include "server/jobs/job.h"

namespace hearth {

class App;

struct JobStreamFormat {
  std::function<JobJson(const JobEvent& event)> event;
  // Of the job whenever its state or progress has changed; empty: not sent.
  std::function<JobJson(const Job& job)> progress = {};
};

// Whether the client wants the events of a job as a stream: ?stream=true, or Accept: text/event-stream.
bool wants_stream(const Request& request);

// From behind the event that ?after or Last-Event-ID names, else from the first. Throws kNotFound.
Reply job_stream(const Request& request, App& app, const std::string& id, JobStreamFormat format);

}  // namespace hearth
