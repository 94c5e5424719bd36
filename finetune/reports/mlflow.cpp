#include "finetune/reports/mlflow.h"

#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "finetune/reports/environment.h"
#include "finetune/reports/host.h"
#include "finetune/reports/run_config.h"
#include "finetune/reports/tracked_values.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

using nlohmann::json;

constexpr size_t kMaxParamLength = 250;  // of servers before 2.8
constexpr int kStallSeconds = 10;        // training waits for it

int64_t milliseconds() { return static_cast<int64_t>(seconds_since_1970() * 1000); }

// The characters that MLflow takes in a metric's name.
std::string metric_name(std::string name) {
  for (char& c : name) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && std::string("_-. :/").find(c) == std::string::npos) c = '_';
  }
  return name;
}

std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string tracking_server() {
  std::string uri = environment("MLFLOW_TRACKING_URI");
  if (!uri.starts_with("http://") && !uri.starts_with("https://")) {
    throw failed_precondition("MLFLOW_TRACKING_URI is {}; set it to a tracking server, as http://localhost:5000",
                              uri.empty() ? "not set" : "not an http URL");
  }
  if (uri.find('@') != std::string::npos)  // it would stand in messages
    throw failed_precondition("MLFLOW_TRACKING_URI has a password in it; give a token as MLFLOW_TRACKING_TOKEN");
  while (uri.ends_with('/')) uri.pop_back();
  return uri;
}

// The string at a path of objects in an answer.
std::string text_at(const json& answer, const char* pointer) {
  const json::json_pointer at(pointer);
  if (!answer.contains(at) || !answer[at].is_string())
    throw unavailable("the tracking server's answer has no {}", pointer);
  return answer[at].get<std::string>();
}

}  // namespace

json Mlflow::call(const std::string& endpoint, const json& body, Absence absence) {
  HttpRequest request;
  request.url = server_ + "/api/2.0/mlflow/" + endpoint;
  request.bearer_token = token_;
  if (!body.is_null()) request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  request.follow_to_other_hosts = false;
  request.stall_seconds = kStallSeconds;
  const HttpResponse response = client_.send(request);
  if (response.status == 404 && absence == Absence::kMissing) return nullptr;
  const json answer = json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (response.status == 200 && answer.is_object()) return answer;
  throw unavailable(
      "{} answered {}{}", request.url, response.status,
      answer.is_object() && answer.contains("message") ? ": " + answer["message"].dump().substr(0, 200) : "");
}

std::string Mlflow::experiment_id(const std::string& experiment) {
  const json found =
      call("experiments/get-by-name?experiment_name=" + percent_encoded(experiment), nullptr, Absence::kMissing);
  if (!found.is_null()) return text_at(found, "/experiment/experiment_id");
  return text_at(call("experiments/create", {{"name", experiment}}), "/experiment_id");
}

void Mlflow::log_params(const TrainSpec& spec) {
  json params = json::array();
  const nlohmann::ordered_json config = run_config(spec);
  for (const auto& [key, value] : config.items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.size() <= kMaxParamLength) params.push_back({{"key", key}, {"value", std::move(text)}});
  }
  call("runs/log-batch", {{"run_id", run_id_}, {"params", std::move(params)}});
}

void Mlflow::on_begin(const TrainSpec& spec, const TrainerState&) {
  server_ = tracking_server();
  token_ = environment("MLFLOW_TRACKING_TOKEN");
  const std::string& run_name = spec.training.run_name;
  json run = {{"experiment_id", experiment_id(environment("MLFLOW_EXPERIMENT_NAME", "Default"))},
              {"start_time", milliseconds()}};
  if (!run_name.empty()) run["run_name"] = run_name;
  run_id_ = text_at(call("runs/create", run), "/run/info/run_id");
  log_params(spec);
}

void Mlflow::on_log(const TrainerState& state) {
  json metrics = json::array();
  const int64_t now = milliseconds();
  for (const auto& [key, value] : newest_numbers(state))
    metrics.push_back({{"key", metric_name(key)}, {"value", value}, {"timestamp", now}, {"step", state.global_step}});
  call("runs/log-batch", {{"run_id", run_id_}, {"metrics", std::move(metrics)}});
}

void Mlflow::on_end(const TrainerState&, Outcome outcome) {
  const char* status = outcome == Outcome::kFinished ? "FINISHED" : outcome == Outcome::kFailed ? "FAILED" : "KILLED";
  call("runs/update", {{"run_id", run_id_}, {"status", status}, {"end_time", milliseconds()}});
}

}  // namespace hearth
