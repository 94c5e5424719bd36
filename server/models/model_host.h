// Which models answer. Bases are loaded when a request names them and unloaded, least recently used first, when another
// needs their memory; adapters come and go while their base answers. What a request holds is never unloaded, and what
// is taken away finishes what it was asked. One thread loads, one model at a time; all else may be called from any
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/app.h"
#include "server/models/model_roster.h"
#include "server/served_model.h"

namespace hearth {

class Client;
class Metrics;

// What /v1/models tells of a model or an adapter.
struct ModelStatus {
  std::string id;
  std::string base;  // of an adapter: its model's id; empty: a model itself
  int64_t created = 0;
  ModelState state = ModelState::kUnloaded;
  int64_t memory_bytes = 0;   // that it takes when it is loaded; 0: not known yet
  std::string template_name;  // one of LLaMA-Factory's; empty: the checkpoint's own, or not known yet
  std::optional<ModelDetails> details;
};

// Where a model or adapter comes from.
struct ModelFiles {
  std::filesystem::path base;
  std::vector<std::filesystem::path> adapters;  // on it, in this order
};

class ModelHost {
 public:
  // Knows the models of the options, which must outlive it. Throws kAlreadyExists when two answer to one id.
  ModelHost(const AppOptions& options, Metrics& metrics);
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;

  // Loads those of the options, in their order, that fit the budget together. Throws what loading any of them or their
  // configured adapters throws, and kResourceExhausted for one that never fits. Until it is done acquire() refuses at
  // once what is not loaded yet.
  void load_configured();
  // Loads what requests ask for, until stop().
  void serve_loads();

  // The model or adapter, which stays in memory as long as the result lives. Waits while it is loaded, for load_timeout
  // at most and no longer than the client does (kCancelled). Throws a 404 for an id that is not known; a 503
  // model_loading, server_overloaded (what is in use leaves no room), model_load_failed or shutting_down.
  std::shared_ptr<ServedModel> acquire(std::string_view id, Client* client = nullptr);

  // In the order in which they became known, each base's adapters behind it. loaded() does not keep them in memory.
  std::vector<std::shared_ptr<ServedModel>> loaded() const;
  std::vector<ModelStatus> list() const;
  ModelStatus status(std::string_view id) const;  // throws a 404
  // The files of the model or adapter of that id; nothing when there is none.
  std::optional<std::filesystem::path> path_of(std::string_view id) const;
  // The same with all that makes its answers.
  std::optional<ModelFiles> files_of(std::string_view id) const;
  // `name`, or name-2 and so on while something that is not of `path` is served so.
  std::string free_id(const std::string& name, const std::filesystem::path& path) const;
  // The id of the base that is read from `path` and takes adapters; nothing when there is none.
  std::optional<std::string> base_of(const std::filesystem::path& path) const;

  // Serves an adapter under its id and as "base:id", at once when the base is loaded, else with it. Throws a 404 for an
  // unknown base, kAlreadyExists for a taken id, kFailedPrecondition for a base that answers with adapters applied to
  // it, and the reason for which it does not fit.
  void attach(const std::string& base_id, const AppOptions::Adapter& source,
              ModelOrigin origin = ModelOrigin::kTrained);
  // A model of its own, without adapters beside it, which the first request loads. Throws kAlreadyExists, and what its
  // config is refused with.
  void add_base(const AppOptions::Model& source, ModelOrigin origin = ModelOrigin::kTrained);
  // No request finds it any more; what runs goes on. Throws a 404, or kFailedPrecondition for a base with adapters.
  void detach(std::string_view id);

  // Called by remove() before the model is taken away; what it throws keeps the model.
  void on_delete(std::function<void(const std::string& id)> callback);
  // For users: a 403 for what training did not make, else on_delete and detach. Returns the model's id.
  std::string remove(std::string_view id);

  void update_metrics() const;

  // From now on acquire() refuses, also those that wait.
  void drain();
  // And serve_loads() returns after the load that is under way.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  using ServedModels = std::vector<std::shared_ptr<ServedModel>>;
  enum class OnMisfit { kThrow, kMark };  // of an adapter of the configuration; others' are marked

  void load(const std::shared_ptr<HostedBase>& base, int64_t bytes, OnMisfit on_misfit);
  void load_for_requests(const std::shared_ptr<HostedBase>& base);
  // The base's adapters that are not served yet; one alone that changes the model has been applied to it.
  void serve_adapters(HostedBase& base, const ServedModel& model, const HostedAdapter* applied, OnMisfit on_misfit,
                      std::unique_lock<std::mutex>& lock);

  // All below are called under mutex_.
  std::shared_ptr<ServedModel> wait_for(const ModelRoster::Found& found, const bool& gone,
                                        std::unique_lock<std::mutex>& lock);
  std::shared_ptr<LoadAttempt> request_load(const std::shared_ptr<HostedBase>& base);
  void finish_load(HostedBase& base, std::optional<ApiError> error);
  ServedModels make_room(const HostedBase& base, int64_t bytes);  // returns what has to go; throws a 503
  ModelState state_of(const HostedBase& base) const;
  ModelStatus status_of(const ModelRoster::Found& found) const;
  void count_loaded() const;

  const AppOptions& options_;
  Metrics& metrics_;
  const int64_t budget_;  // bytes

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  ModelRoster roster_;
  std::deque<std::shared_ptr<HostedBase>> queue_;  // to be loaded
  std::function<void(const std::string& id)> on_delete_;
  bool started_ = false, draining_ = false, stopping_ = false;
};

// A 503 while the daemon drains.
ApiError shutting_down();

}  // namespace hearth
