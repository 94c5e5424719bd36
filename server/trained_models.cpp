#include "server/trained_models.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "finetune/spec/job_spec.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/output_dir.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// From the job's directory, as its worker saw it.
fs::path absolute(const Job& job, const fs::path& path) { return (fs::path(job.directory) / path).lexically_normal(); }

}  // namespace

JobJson TrainedModels::serve(const Job& job, const JobJson& finished) {
  JobJson result = finished;
  if (job.kind != kTrainJob) return result;
  try {
    result["served_as"] = serve_run(job, finished);
  } catch (const Error& error) {
    log::warn("job {}: what it trained is not served: {}", job.id, error.what());
    result["not_served"] = error.what();
  }
  return result;
}

std::string TrainedModels::serve_run(const Job& job, const JobJson& finished) {
  const TrainSpec spec = parse_train_spec(job.spec, job.id);
  const fs::path output = finished.value("output_dir", "");
  const std::string name = host_.free_id(output.filename().string(), output);
  if (host_.path_of(name)) host_.detach(name);  // an earlier run into this directory
  if (spec.finetuning_type != FinetuningType::kLora) {
    host_.add_base({.id = name, .path = output, .chat = spec.chat});
    return name;
  }
  const fs::path model = resolve_model(spec.model_name_or_path, job.directory);
  if (const std::vector<std::string> adapters = trained_adapters(spec); adapters.size() > 1) {
    AppOptions::Model source{.id = name, .path = model, .chat = spec.chat};
    for (const std::string& adapter : adapters) source.applied.push_back(absolute(job, adapter));
    host_.add_base(source);
    return name;
  }
  std::optional<std::string> base = host_.base_of(model);
  if (!base) {
    base = host_.free_id(model_id(spec.model_name_or_path), model);
    host_.add_base({.id = *base, .path = model});
  }
  host_.attach(*base, {.id = name, .path = output});
  return ServedModel::adapter_id(*base, name);
}

void TrainedModels::serve_again(JobStore& store) {
  for (const Job& job : store.in_state(JobState::kSucceeded))
    if (job.result.contains("served_as") && fs::exists(job.result.value("output_dir", ""))) serve(job, job.result);
}

void TrainedModels::forget(JobStore& store, const std::string& id) {
  const std::optional<fs::path> path = host_.path_of(id);
  for (const Job& job : store.in_state(JobState::kSucceeded)) {
    if (!job.result.contains("served_as") || !path || *path != job.result.value("output_dir", "")) continue;
    JobJson result = job.result;
    result.erase("served_as");
    store.set_result(job.id, result);
  }
}

}  // namespace hearth
