#include "server/fine_tuning/job_object.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "server/fine_tuning/job_spec.h"
#include "server/jobs/job_store.h"

namespace hearth {
namespace {

constexpr size_t kNameDigits = 8;

JobJson seconds(const std::optional<int64_t>& milliseconds) {
  return milliseconds ? JobJson(*milliseconds / 1000) : JobJson();
}

std::string_view status_of(const Job& job) {
  return job.state == JobState::kValidating ? "validating_files" : to_string(job.state);
}

// The keys of `methods` are the methods themselves: {"type": "dpo", "dpo": {"hyperparameters": ...}}.
JobJson method_of(const JobJson& request) {
  const std::string name = request.value("method", "supervised");
  JobJson method;
  method["type"] = name;
  method[name]["hyperparameters"] = request.value("hyperparameters", JobJson::object());
  return method;
}

JobJson error_of(const Job& job) {
  if (job.error.is_null()) return nullptr;
  JobJson error;
  error["code"] = job.error.value("code", "");
  error["message"] = job.error.value("message", "");
  error["param"] = job.error.value("param", JobJson());
  return error;
}

JobJson estimated_finish(const Job& job) {
  const auto left = job.progress.find("seconds_left");
  if (job.state != JobState::kRunning || left == job.progress.end() || !left->is_number()) return nullptr;
  return (unix_milliseconds() / 1000) + static_cast<int64_t>(left->get<double>());
}

struct MetricName {
  const char *ours, *openais;
};
constexpr MetricName kMetricNames[] = {{"loss", "train_loss"},
                                       {"train_loss", "train_loss"},
                                       {"mean_token_accuracy", "train_mean_token_accuracy"},
                                       {"eval_loss", "valid_loss"},
                                       {"eval_accuracy", "valid_mean_token_accuracy"},
                                       {"eval_mean_token_accuracy", "valid_mean_token_accuracy"}};

// "step 3/30: train_loss=2.31, valid_loss=2.4"
std::string metrics_message(const JobJson& data, const JobJson& metrics) {
  std::string text = fmt::format("step {}/{}", data.value("step", int64_t{0}), data.value("total_steps", int64_t{0}));
  const char* between = ": ";
  for (const auto& [name, value] : metrics.items()) {
    text += fmt::format("{}{}={:.4g}", between, name, value.get<double>());
    between = ", ";
  }
  return text;
}

}  // namespace

std::string fine_tuned_model(const Job& job) {
  const std::string digits = job.id.substr(job.id.size() - std::min(job.id.size(), kNameDigits));
  return fmt::format("ft:{}:{}:{}:{}", job.request.value("base", ""), kOrganization, job.request.value("suffix", ""),
                     digits);
}

std::string checkpoint_model(const Job& job, int64_t step) {
  return fmt::format("{}:ckpt-step-{}", fine_tuned_model(job), step);
}

JobJson openai_metrics(const JobJson& record) {
  JobJson metrics = JobJson::object();
  for (const MetricName& name : kMetricNames)
    if (const auto value = record.find(name.ours); value != record.end() && value->is_number())
      metrics[name.openais] = *value;
  return metrics;
}

JobJson fine_tuning_job(const Job& job) {
  const JobJson& request = job.request;
  const bool has_result = job.result.is_object();
  JobJson out;
  out["id"] = job.id;
  out["object"] = "fine_tuning.job";
  out["created_at"] = job.created_at / 1000;
  out["finished_at"] = seconds(job.finished_at);
  out["model"] = request.value("model", "");
  out["fine_tuned_model"] = has_result ? job.result.value("fine_tuned_model", JobJson()) : JobJson();
  out["organization_id"] = kOrganization;
  out["status"] = status_of(job);
  out["hyperparameters"] = request.value("hyperparameters", JobJson::object());
  out["method"] = method_of(request);
  out["training_file"] = request.value("training_file", "");
  out["validation_file"] = request.value("validation_file", JobJson());
  out["result_files"] = has_result ? job.result.value("result_files", JobJson::array()) : JobJson::array();
  out["trained_tokens"] = has_result ? job.result.value("trained_tokens", JobJson()) : JobJson();
  out["seed"] = request.value("seed", int64_t{0});
  out["error"] = error_of(job);
  out["estimated_finish"] = estimated_finish(job);
  out["integrations"] = JobJson::array();
  out["metadata"] = request.value("metadata", JobJson());
  return out;
}

JobJson fine_tuning_event(const JobEvent& event) {
  JobJson out;
  out["id"] = event.id;
  out["object"] = "fine_tuning.job.event";
  out["created_at"] = event.created_at / 1000;
  out["level"] = event.level;
  out["message"] = event.message;
  out["type"] = event.type;
  out["data"] = event.data;
  if (event.type != "metrics") return out;
  const JobJson metrics = openai_metrics(event.data);
  out["message"] = metrics_message(event.data, metrics);
  out["data"].update(metrics);
  return out;
}

JobJson fine_tuning_checkpoint(const Job& job, const JobCheckpoint& checkpoint) {
  JobJson out;
  out["id"] = checkpoint.id;
  out["object"] = "fine_tuning.job.checkpoint";
  out["created_at"] = checkpoint.created_at / 1000;
  out["fine_tuned_model_checkpoint"] = checkpoint_model(job, checkpoint.step);
  out["fine_tuning_job_id"] = job.id;
  out["step_number"] = checkpoint.step;
  out["metrics"]["step"] = checkpoint.step;
  out["metrics"].update(openai_metrics(checkpoint.metrics));
  // hearth evaluates on the whole validation file or not at all.
  for (const char* name : {"valid_loss", "valid_mean_token_accuracy"})
    if (out["metrics"].contains(name)) out["metrics"][std::string("full_") + name] = out["metrics"][name];
  return out;
}

}  // namespace hearth
