// /v1/pulls: models from a hub, fetched in the background.
#include "server/pulls.h"

#include "server/api_error.h"
#include "server/app.h"
#include "server/json_reader.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const PullStatus& pull) {
  const auto seconds = [](int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; };
  return {{"id", pull.id},
          {"object", "pull"},
          {"name", pull.name},
          {"status", to_string(pull.state)},
          {"bytes", pull.bytes},
          {"total_bytes", pull.total_bytes ? Json(*pull.total_bytes) : Json()},
          {"files", pull.files},
          {"error", pull.error.empty() ? Json() : Json(pull.error)},
          {"started_at", seconds(pull.started_at)},
          {"finished_at", pull.finished_at ? Json(seconds(*pull.finished_at)) : Json()},
          {"model", pull.model.empty() ? Json() : Json(pull.model)}};
}

}  // namespace

Reply handle_start_pull(const Request& request, App& app) {
  const Json document = parse_json(request.body);
  const std::string name = JsonReader(document).required("name").string();
  try {
    return json_reply(describe(app.pulls().start(name)));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw invalid_field("name", error.what());
  }
}

Reply handle_list_pulls(const Request&, App& app) {
  Json data = Json::array();
  for (const PullStatus& pull : app.pulls().list()) data.push_back(describe(pull));
  return json_reply({{"object", "list"}, {"data", data}});
}

Reply handle_cancel_pull(const Request& request, App& app) {
  return json_reply(describe(app.pulls().cancel(request.path_argument)));
}

}  // namespace hearth
