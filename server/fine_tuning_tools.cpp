#include "server/fine_tuning_tools.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/files/file_store.h"
#include "server/models/model_host.h"
#include "server/models/model_memory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// Of an adapter that is served: one of the configuration's, or what a job made.
std::optional<fs::path> adapter_of(const AppOptions::Model& model, const std::string& id, JobStore& jobs) {
  for (const AppOptions::Adapter& adapter : model.adapters)
    if (adapter.id == id) return adapter.path;
  for (TunedModel& tuned : tuned_models(jobs))
    if (tuned.id == id) return std::move(tuned.adapter);
  if (std::optional<TunedModel> checkpoint = find_checkpoint_model(jobs, id)) return std::move(checkpoint->adapter);
  return std::nullopt;
}

TuningBase base_of(const std::string& name, const AppOptions& options, const ModelHost& host, JobStore& jobs) {
  const ModelStatus status = host.status(name);
  const std::string& id = status.base.empty() ? status.id : status.base;
  const auto model =
      std::find_if(options.models.begin(), options.models.end(), [&](const auto& m) { return m.id == id; });
  const auto refuse = [&](std::string_view why) {
    return invalid_field("model", fmt::format("'model': '{}' cannot be fine-tuned: {}", name, why));
  };
  if (model == options.models.end()) throw refuse("it is not of the daemon's configuration");
  if (!model->applied.empty()) throw refuse("it answers with adapters that are applied to it; serve its base");
  if (status.details && status.details->is_reward_model) throw refuse("it is a reward model");
  TuningBase base{.id = id, .path = fs::absolute(model->path), .chat = model->chat};
  base.max_context = model_dims(config_of_model(model->path)).max_positions;
  if (status.base.empty()) return base;
  base.adapter = adapter_of(*model, status.id, jobs);
  if (!base.adapter) throw refuse("its adapter is not there any more");
  return base;
}

}  // namespace

FineTuningTools fine_tuning_tools(const AppOptions& options, ModelHost& host, FileStore& files, JobStore& jobs) {
  FineTuningTools tools;
  tools.base = [&](const std::string& model) { return base_of(model, options, host, jobs); };
  tools.purpose_of = [&](const std::string& file) { return files.get(file).purpose; };
  tools.link_file = [&](const std::string& file, const fs::path& path) { files.link_to(file, path); };
  tools.add_result_file = [&](const std::string& filename, const std::string& content) {
    return files.add({.purpose = "fine-tune-results", .filename = filename}, content).id;
  };
  tools.attach = [&](const TunedModel& model) {
    try {
      host.attach(model.base, {model.id, model.adapter});
    } catch (const Error& error) {
      // By the same job, before a crash.
      if (error.code() != ErrorCode::kAlreadyExists) throw;
    }
  };
  return tools;
}

void attach_tuned_models(ModelHost& host, JobStore& jobs) {
  for (const TunedModel& model : tuned_models(jobs)) {
    try {
      host.attach(model.base, {model.id, model.adapter});
    } catch (const Error& error) {
      log::warn("the model '{}' is not served: {}", model.id, error.what());
    }
  }
}

}  // namespace hearth
