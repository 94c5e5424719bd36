// Models that come and go while the daemon runs: the half of ModelHost that jobs and administrators call.
#include <filesystem>
#include <optional>
#include <utility>

#include "models/adapters/peft_adapter.h"
#include "models/model_config.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/own_thread.h"
#include "server/load_served.h"
#include "server/metrics.h"
#include "server/models/model_host.h"
#include "server/models/model_memory.h"

namespace hearth {
namespace {

// What can be told without the model. A base whose own files cannot be read is told of when it is loaded.
void check_unloaded(const AppOptions::Adapter& source, const std::filesystem::path& base) {
  std::optional<ModelConfig> config;
  try {
    config = config_of_model(base);
  } catch (const Error& error) {
    log::warn("adapter '{}' cannot be checked yet: {}", source.id, error.what());
    return;
  }
  check_adapter(source.path, *config);
}

}  // namespace

void ModelHost::attach(const std::string& base_id, const AppOptions::Adapter& source, ModelOrigin origin) {
  const std::shared_ptr<HostedAdapter> adapter = hosted_adapter(source, origin);
  std::shared_ptr<HostedBase> checked;         // that the adapter has been compared with
  std::shared_ptr<ServedModel> model, served;  // the first keeps the base loaded
  for (;;) {                                   // the base may be loaded or replaced meanwhile
    std::shared_ptr<HostedBase> base;
    std::shared_ptr<ServedModel> now;
    {
      const std::lock_guard lock(mutex_);
      base = roster_.base_for_adapters(base_id);
      if (base == checked && (served || !base->served)) {
        roster_.add_adapter(*base, adapter);
        if (served) adapter->serve(std::move(served));
        return;
      }
      if (base->served) now = lease(base, base->served);
    }
    model = std::move(now);
    served = model ? on_own_thread([&] { return serve_adapter(*model, source); }) : nullptr;
    if (!model) check_unloaded(source, base->source.path);
    checked = std::move(base);
  }
}

void ModelHost::add_base(const AppOptions::Model& source, ModelOrigin origin) {
  HEARTH_CHECK(source.adapters.empty());
  config_of_model(source.path);
  const std::shared_ptr<HostedBase> base = hosted_base(source, origin);
  base->bytes = estimate_memory(options_, source);
  const std::lock_guard lock(mutex_);
  roster_.add_base(base);
}

std::optional<std::filesystem::path> ModelHost::path_of(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const std::optional<ModelRoster::Found> found = roster_.find(id);
  if (!found) return std::nullopt;
  return found->adapter ? found->adapter->source.path : found->base->source.path;
}

std::optional<ModelFiles> ModelHost::files_of(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const std::optional<ModelRoster::Found> found = roster_.find(id);
  if (!found) return std::nullopt;
  ModelFiles files{found->base->source.path, found->base->source.applied};
  if (found->adapter) files.adapters.push_back(found->adapter->source.path);
  return files;
}

std::string ModelHost::free_id(const std::string& name, const std::filesystem::path& path) const {
  std::string id = name;
  for (int i = 2;; ++i) {
    const std::optional<std::filesystem::path> taken = path_of(id);
    if (!taken || *taken == path) return id;
    id = fmt::format("{}-{}", name, i);
  }
}

std::optional<std::string> ModelHost::base_of(const std::filesystem::path& path) const {
  const std::lock_guard lock(mutex_);
  std::error_code ignored;  // of files that are gone
  for (const std::shared_ptr<HostedBase>& base : roster_.bases())
    if (base->source.applied.empty() && std::filesystem::equivalent(base->source.path, path, ignored))
      return base->source.id;
  return std::nullopt;
}

void ModelHost::detach(std::string_view id) {
  ServedModels gone;  // let go of after the lock
  const std::lock_guard lock(mutex_);
  const ModelRoster::Found found = roster_.find_or_throw(id);
  gone = roster_.remove(found);
  log::info("{}: is not served any more", found.id());
  if (!found.adapter) metrics_.forget(found.id());
  count_loaded();
  changed_.notify_all();
}

void ModelHost::on_delete(std::function<void(const std::string& id)> callback) {
  const std::lock_guard lock(mutex_);
  on_delete_ = std::move(callback);
}

std::string ModelHost::remove(std::string_view id) {
  std::string its_id;
  std::function<void(const std::string& id)> callback;
  {
    const std::lock_guard lock(mutex_);
    const ModelRoster::Found found = roster_.find_or_throw(id);
    its_id = found.id();
    if (!found.model().is_deletable)
      throw ApiError(ErrorCode::kInvalidArgument,
                     fmt::format("'{}' was not made by training here, so it cannot be deleted", its_id),
                     {.code = "permission_denied", .param = "model", .status = 403});
    ModelRoster::require_removable(found);
    callback = on_delete_;
  }
  if (callback) callback(its_id);
  detach(its_id);
  return its_id;
}

}  // namespace hearth
