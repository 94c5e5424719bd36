#include "server/models/model_host.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/ranges.h>
#include <malloc.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/own_thread.h"
#include "server/http_types.h"
#include "server/load_served.h"
#include "server/metrics.h"
#include "server/models/model_memory.h"

namespace hearth {
namespace {

constexpr int kLoadingRetrySeconds = 2, kDrainingRetrySeconds = 10;
// A load that failed is not tried again for so long: a damaged file costs one reading and not one a request.
constexpr auto kFailurePause = std::chrono::seconds(10);

ApiError model_loading(std::string_view id) {
  return {ErrorCode::kUnavailable,
          fmt::format("'{}' is being loaded", id),
          {.code = "model_loading", .retry_after_seconds = kLoadingRetrySeconds}};
}

// What other libraries throw may name addresses; it belongs into the log.
ApiError load_failed(std::string_view id, const std::exception& error) {
  const bool is_ours = dynamic_cast<const Error*>(&error) != nullptr;
  log::error("{}: cannot be loaded: {}", id, error.what());
  return {ErrorCode::kUnavailable,
          fmt::format("'{}' cannot be loaded: {}", id, is_ours ? error.what() : "the server's log has the cause"),
          {.code = "model_load_failed", .retry_after_seconds = static_cast<int>(kFailurePause.count())}};
}

Error too_large(std::string_view id, int64_t bytes, int64_t budget) {
  return resource_exhausted("'{}' needs {} of memory, and model_memory is {}: raise it, or lower cache_tokens", id,
                            format_memory(bytes), format_memory(budget));
}

// Frees them now, and gives the pages of what malloc keeps for later back to the system.
void let_go(std::vector<std::shared_ptr<ServedModel>> models) {
  if (models.empty()) return;
  models.clear();
  ::malloc_trim(0);
}

}  // namespace

ApiError shutting_down() {
  return {ErrorCode::kUnavailable,
          "the server is shutting down",
          {.code = "shutting_down", .retry_after_seconds = kDrainingRetrySeconds}};
}

ModelHost::ModelHost(const AppOptions& options, Metrics& metrics)
    : options_(options),
      metrics_(metrics),
      budget_(options.model_memory > 0 ? options.model_memory : default_model_memory()) {
  for (const AppOptions::Model& model : options.models) {
    HEARTH_CHECK(model.applied.empty() || model.adapters.empty());
    const auto base = hosted_base(model, ModelOrigin::kConfigured);
    roster_.add_base(base);
    for (const AppOptions::Adapter& adapter : model.adapters)
      roster_.add_adapter(*base, hosted_adapter(adapter, ModelOrigin::kConfigured));
  }
}

void ModelHost::load_configured() {
  std::vector<std::shared_ptr<HostedBase>> configured;
  {
    const std::lock_guard lock(mutex_);
    configured = roster_.bases();
  }
  for (const auto& base : configured) {
    if (base->origin != ModelOrigin::kConfigured) continue;
    const int64_t bytes = estimate_memory(options_, base->source);
    if (bytes > budget_) throw too_large(base->source.id, bytes, budget_);
    int64_t taken = 0;
    {
      const std::lock_guard lock(mutex_);
      if (draining_) return;
      base->bytes = bytes;
      taken = roster_.loaded_bytes();
    }
    if (taken + bytes <= budget_) {
      load(base, bytes, OnMisfit::kThrow);
    } else {
      log::info("{}: is loaded when it is asked for: it needs {}, and {} of {} are taken", base->source.id,
                format_memory(bytes), format_memory(taken), format_memory(budget_));
    }
  }
  const std::lock_guard lock(mutex_);
  started_ = true;
}

void ModelHost::serve_loads() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<HostedBase> base = queue_.front();
    queue_.pop_front();
    if (base->waiting == 0 || base->removed) {  // whoever asked for it has left
      finish_load(*base, std::nullopt);
      continue;
    }
    lock.unlock();
    load_for_requests(base);
    lock.lock();
  }
}

void ModelHost::load_for_requests(const std::shared_ptr<HostedBase>& base) {
  const std::string& id = base->source.id;
  std::optional<ApiError> error;
  try {
    const int64_t bytes = estimate_memory(options_, base->source);
    ServedModels leaving;
    {
      const std::lock_guard lock(mutex_);
      leaving = make_room(*base, bytes);
    }
    let_go(std::move(leaving));
    load(base, bytes, OnMisfit::kMark);
    return;
  } catch (const ApiError& refused) {
    log::warn("{}", refused.what());
    error = refused;
  } catch (const std::exception& failed) {
    error = load_failed(id, failed);
  }
  ServedModels half_made;
  {
    const std::lock_guard lock(mutex_);
    half_made = base->unload();
    finish_load(*base, std::move(error));
  }
  let_go(std::move(half_made));
}

void ModelHost::load(const std::shared_ptr<HostedBase>& base, int64_t bytes, OnMisfit on_misfit) {
  AppOptions::Model source = base->source;
  std::shared_ptr<HostedAdapter> applied;
  {
    const std::lock_guard lock(mutex_);
    if (base->adapters.size() == 1 && base->adapters.front()->changes_model) applied = base->adapters.front();
  }
  if (applied) {
    source.applied.push_back(applied->source.path);
    log::warn("adapter '{}' has modules_to_save, which change the model: '{}' answers as it does", applied->source.id,
              source.id);
  }
  std::shared_ptr<ServedModel> model = on_own_thread([&] { return load_base(options_, source); });
  ServedModels unwanted;  // let go of after the lock
  std::unique_lock lock(mutex_);
  serve_adapters(*base, *model, applied.get(), on_misfit, lock);
  if (applied) base->applied = applied->source.id;
  base->bytes = bytes;
  base->last_used = Clock::now().time_since_epoch().count();
  base->serve(std::move(model));
  if (base->removed) unwanted = base->unload();
  metrics_.model_loaded();
  finish_load(*base, std::nullopt);
}

void ModelHost::serve_adapters(HostedBase& base, const ServedModel& model, const HostedAdapter* applied,
                               OnMisfit on_misfit, std::unique_lock<std::mutex>& lock) {
  for (const auto& adapter : base.adapters) adapter->failure.reset();
  for (;;) {  // others may come while one is read
    const auto next = std::find_if(base.adapters.begin(), base.adapters.end(),
                                   [](const auto& adapter) { return !adapter->served && !adapter->failure; });
    if (next == base.adapters.end()) return;
    const std::shared_ptr<HostedAdapter> adapter = *next;  // NOLINT: it may be taken out of the list meanwhile
    std::shared_ptr<ServedModel> served;
    std::optional<ApiError> failure;
    lock.unlock();
    try {
      served = on_own_thread([&] {
        return adapter.get() == applied ? serve_applied(model, adapter->source) : serve_adapter(model, adapter->source);
      });
    } catch (const std::exception& error) {
      if (on_misfit == OnMisfit::kThrow && adapter->origin == ModelOrigin::kConfigured) throw;
      failure = load_failed(adapter->source.id, error);
    }
    lock.lock();
    if (served && !adapter->removed)
      adapter->serve(std::move(served));
    else
      adapter->failure = std::move(failure);
  }
}

ModelHost::ServedModels ModelHost::make_room(const HostedBase& base, int64_t bytes) {
  const std::string& id = base.source.id;
  if (bytes > budget_) throw too_large(id, bytes, budget_);
  const auto leaving = roster_.idle_holding(roster_.loaded_bytes() + bytes + base.adapter_bytes() - budget_);
  if (!leaving) {
    std::vector<std::string> names;
    int seconds = 0;
    for (const auto& used : roster_.in_use()) {
      names.push_back(used->source.id);
      const int its =
          metrics_.model(used->source.id).retry_after_seconds(used->served->engine->stats(), used->served->max_running);
      seconds = seconds == 0 ? its : std::min(seconds, its);
    }
    throw ApiError(ErrorCode::kResourceExhausted,
                   fmt::format("'{}' needs {} of memory, which '{}' leave no room for while in use (model_memory is "
                               "{}); try again later",
                               id, format_memory(bytes), fmt::join(names, "', '"), format_memory(budget_)),
                   {.code = "server_overloaded", .retry_after_seconds = std::max(seconds, 1)});
  }
  ServedModels models;
  for (const auto& one : *leaving) {
    log::info("{}: unloaded to make room for {}", one->source.id, id);
    for (auto& served : one->unload()) models.push_back(std::move(served));
    metrics_.model_evicted();
    metrics_.forget(one->source.id);
  }
  count_loaded();
  return models;
}

void ModelHost::finish_load(HostedBase& base, std::optional<ApiError> error) {
  base.failure = error && error->details().code == "model_load_failed" ? error : std::nullopt;
  base.failed_at = Clock::now();
  if (base.load) {
    base.load->error = std::move(error);
    base.load->done = true;
    base.load.reset();
  }
  count_loaded();
  changed_.notify_all();
}

void ModelHost::count_loaded() const {
  metrics_.models_loaded(std::count_if(roster_.bases().begin(), roster_.bases().end(),
                                       [](const auto& base) { return base->served != nullptr; }));
}

std::shared_ptr<ServedModel> ModelHost::acquire(std::string_view id, Client* client) {
  {
    const std::lock_guard lock(mutex_);
    const ModelRoster::Found found = roster_.find_or_throw(id);
    if (const auto served = found.served()) return lease(found.base, served);
  }
  bool gone = false;
  std::shared_ptr<void> watch;  // ends after the lock, which its callback takes
  if (client) {
    watch = client->on_gone([this, &gone] {
      const std::lock_guard lock(mutex_);
      gone = true;
      changed_.notify_all();
    });
  }
  std::unique_lock lock(mutex_);
  const ModelRoster::Found found = roster_.find_or_throw(id);
  ++found.base->waiting;
  const auto leave = [](HostedBase* base) { --base->waiting; };
  const std::unique_ptr<HostedBase, decltype(leave)> waits(found.base.get(), leave);
  return wait_for(found, gone, lock);
}

std::shared_ptr<ServedModel> ModelHost::wait_for(const ModelRoster::Found& found, const bool& gone,
                                                 std::unique_lock<std::mutex>& lock) {
  const auto deadline = Clock::now() + options_.load_timeout;
  std::shared_ptr<LoadAttempt> attempt;
  for (;;) {
    if (draining_) throw shutting_down();
    if (found.model().removed || found.base->removed) roster_.find_or_throw(found.id());
    if (const auto served = found.served()) return lease(found.base, served);
    if (attempt && attempt->done && attempt->error) throw ApiError(*attempt->error);
    if (found.base->served && found.model().failure) throw ApiError(*found.model().failure);
    if (gone) throw cancelled("the client left while '{}' was being loaded", found.id());
    if (!started_ || Clock::now() >= deadline) throw model_loading(found.id());
    if (!found.base->served) attempt = request_load(found.base);  // else its adapter is being attached
    changed_.wait_until(lock, deadline);
  }
}

std::shared_ptr<LoadAttempt> ModelHost::request_load(const std::shared_ptr<HostedBase>& base) {
  if (base->load) return base->load;
  if (base->failure && Clock::now() < base->failed_at + kFailurePause) throw ApiError(*base->failure);
  base->load = std::make_shared<LoadAttempt>();
  queue_.push_back(base);
  changed_.notify_all();
  return base->load;
}

ModelHost::ServedModels ModelHost::loaded() const {
  const std::lock_guard lock(mutex_);
  ServedModels models;
  for (const auto& base : roster_.bases()) {
    if (!base->served) continue;
    models.push_back(base->served);
    for (const auto& adapter : base->adapters)
      if (adapter->served) models.push_back(adapter->served);
  }
  return models;
}

ModelState ModelHost::state_of(const HostedBase& base) const {
  if (base.served) return ModelState::kLoaded;
  if (base.load || !started_) return ModelState::kLoading;
  return base.failure ? ModelState::kFailed : ModelState::kUnloaded;
}

ModelStatus ModelHost::status_of(const ModelRoster::Found& found) const {
  const HostedModel& model = found.model();
  ModelState state = state_of(*found.base);
  if (found.adapter && model.failure) state = ModelState::kFailed;
  if (state == ModelState::kLoaded && !model.served) state = ModelState::kLoading;
  return {.id = found.id(),
          .base = found.adapter ? found.base->source.id : "",
          .created = model.created,
          .state = state,
          .memory_bytes = model.bytes,
          .template_name = model.details   ? model.details->template_name
                           : found.adapter ? ""
                                           : found.base->source.chat.template_name,
          .details = model.details};
}

std::vector<ModelStatus> ModelHost::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> all;
  for (const auto& base : roster_.bases()) {
    all.push_back(status_of({base, nullptr}));
    for (const auto& adapter : base->adapters) all.push_back(status_of({base, adapter}));
  }
  return all;
}

ModelStatus ModelHost::status(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  return status_of(roster_.find_or_throw(id));
}

void ModelHost::update_metrics() const {
  const std::lock_guard lock(mutex_);
  metrics_.model_memory(roster_.loaded_bytes(), budget_);
  for (const auto& base : roster_.bases())  // an adapter's engine is its model's
    if (base->served) metrics_.update(base->source.id, base->served->engine->stats());
}

void ModelHost::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  changed_.notify_all();
}

void ModelHost::stop() {
  const std::lock_guard lock(mutex_);
  draining_ = stopping_ = true;
  changed_.notify_all();
}

}  // namespace hearth
