#include "server/api_error.h"
#include "server/app.h"
#include "server/jobs/job_service.h"
#include "server/metrics.h"
#include "server/models/model_host.h"
#include "server/openapi.h"
#include "server/routes/handlers.h"

namespace hearth {

Reply handle_health(const Request&, App&) { return json_reply({{"status", "ok"}}); }

Reply handle_ready(const Request&, App& app) {
  if (app.state() == App::State::kReady) return json_reply({{"status", "ready"}});
  const bool loading = app.state() == App::State::kLoading;
  throw ApiError(ErrorCode::kUnavailable, loading ? "models are being loaded" : "the server is shutting down",
                 {.code = loading ? "model_loading" : "shutting_down"});
}

Reply handle_openapi(const Request&, App&) { return json_reply(openapi_document()); }

Reply handle_metrics(const Request&, App& app) {
  app.host().update_metrics();
  if (!app.options().state_directory.empty())
    for (const auto& [state, count] : app.jobs().store().counts()) app.metrics().jobs(to_string(state), count);
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = app.metrics().text()};
}

}  // namespace hearth
