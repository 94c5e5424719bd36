#include "server/fine_tuning/finished_job.h"

#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "server/fine_tuning/job_object.h"
#include "server/fine_tuning/job_spec.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr int kRows = 500;
constexpr std::string_view kCheckpointMark = ":ckpt-step-";

struct Column {
  const char *metric, *title;
};
constexpr std::array<Column, 4> kColumns = {{{"train_loss", "train_loss"},
                                             {"train_mean_token_accuracy", "train_accuracy"},
                                             {"valid_loss", "valid_loss"},
                                             {"valid_mean_token_accuracy", "valid_mean_token_accuracy"}}};

bool is_tuning(const Job& job) { return job.id.starts_with(kTuningPrefix); }

TunedModel model_of(const Job& job) {
  return {fine_tuned_model(job), job.request.value("base", ""), job.result.value("output_dir", "")};
}

bool has_adapter(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "adapter_config.json", ignored);
}

// Calls take(job) for every fine-tuning job in one of `states` until it returns true.
template <class Take>
void each_job(JobStore& store, std::vector<JobState> states, Take take) {
  JobQuery query{.id_prefix = std::string(kTuningPrefix), .limit = kRows, .states = std::move(states)};
  for (;;) {
    const std::vector<Job> jobs = store.list(query);
    for (const Job& job : jobs)
      if (take(job)) return;
    if (static_cast<int>(jobs.size()) < kRows) return;
    query.after = jobs.back().id;
  }
}

// Of every step the newest numbers: what was done again after a crash counts.
std::map<int64_t, JobJson> metrics_by_step(JobStore& store, const std::string& job) {
  std::map<int64_t, JobJson> steps;
  int64_t after = 0;
  for (;;) {
    const std::vector<JobEvent> events = store.events_since(job, after, kRows);
    for (const JobEvent& event : events) {
      after = event.sequence;
      const JobJson metrics = openai_metrics(event.data);
      if (event.type != "metrics" || metrics.empty()) continue;
      // The summary at the end has the mean loss of the run under the name of a step's.
      if (event.data.contains("train_runtime")) continue;
      JobJson& step = steps[event.data.value("step", int64_t{0})];
      if (step.is_null()) step = JobJson::object();
      step.update(metrics);
    }
    if (static_cast<int>(events.size()) < kRows) return steps;
  }
}

}  // namespace

std::string result_csv(JobStore& store, const std::string& job) {
  const std::map<int64_t, JobJson> steps = metrics_by_step(store, job);
  std::vector<Column> columns;
  for (const Column& column : kColumns)
    for (const auto& [step, metrics] : steps)
      if (metrics.contains(column.metric)) {
        columns.push_back(column);
        break;
      }
  std::string csv = "step";
  for (const Column& column : columns) csv += fmt::format(",{}", column.title);
  csv += "\n";
  for (const auto& [step, metrics] : steps) {
    csv += fmt::format("{}", step);
    for (const Column& column : columns)
      csv += metrics.contains(column.metric) ? fmt::format(",{}", metrics[column.metric].get<double>()) : ",";
    csv += "\n";
  }
  return csv;
}

JobJson finish_fine_tuning(const Job& job, const JobJson& finished, JobStore& store, const FinishedJobTools& tools) {
  if (!is_tuning(job)) return finished;
  Job done = job;
  done.result = finished;
  const TunedModel model = model_of(done);
  tools.attach(model);
  JobJson result = finished;
  result["fine_tuned_model"] = model.id;
  result["result_files"] = JobJson::array();
  result["result_files"].push_back(tools.add_result_file("step_metrics.csv", result_csv(store, job.id)));
  JobEvent event;
  event.message = fmt::format("the new model is '{}'", model.id);
  store.add_event(job.id, event);
  return result;
}

std::vector<TunedModel> tuned_models(JobStore& store) {
  std::vector<TunedModel> models;
  each_job(store, {JobState::kSucceeded}, [&](const Job& job) {
    TunedModel model = model_of(job);
    if (has_adapter(model.adapter)) models.push_back(std::move(model));
    return false;
  });
  return models;
}

bool is_checkpoint_model(std::string_view name) {
  return name.starts_with("ft:") && name.rfind(kCheckpointMark) != std::string_view::npos;
}

std::optional<TunedModel> find_checkpoint_model(JobStore& store, std::string_view name) {
  if (!is_checkpoint_model(name)) return std::nullopt;
  const size_t mark = name.rfind(kCheckpointMark);
  const std::string_view model = name.substr(0, mark), digits = name.substr(mark + kCheckpointMark.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  std::optional<TunedModel> found;
  each_job(store, {}, [&](const Job& job) {
    if (fine_tuned_model(job) != model) return false;
    for (const JobCheckpoint& checkpoint : store.checkpoints(job.id, std::nullopt, kRows))
      if (checkpoint.step == step && has_adapter(checkpoint.path))
        found = TunedModel{std::string(name), job.request.value("base", ""), checkpoint.path};
    return true;
  });
  return found;
}

}  // namespace hearth
