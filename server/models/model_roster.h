// The models that a daemon knows: bases and their adapters by id, which of them are loaded and which are in use. Data
// alone, guarded by ModelHost's mutex; only what a lease counts down changes without it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/app.h"
#include "server/served_model.h"

namespace hearth {

enum class ModelState { kUnloaded, kLoading, kLoaded, kFailed };

// Who made a model known.
enum class ModelOrigin {
  kConfigured,
  kPulled,
  kTrained,  // may be deleted, as what is named "ft:..." may be in any case
};

// What is known of a model once it has been loaded.
struct ModelDetails {
  int max_context = 0;
  bool is_chat_model = false, is_reward_model = false, sees = false;
  std::string template_name;  // one of LLaMA-Factory's; empty: the checkpoint's own
  GenerationDefaults chat_sampling;
};

// One attempt to load a base, which all who want it wait for.
struct LoadAttempt {
  bool done = false;
  std::optional<ApiError> error;
};

// What a base and an adapter have in common.
struct HostedModel {
  ModelOrigin origin = ModelOrigin::kConfigured;
  bool is_deletable = false;
  bool removed = false;  // nobody finds it any more
  int64_t created = 0;
  int64_t bytes = 0;                    // estimated; 0: not yet
  std::shared_ptr<ServedModel> served;  // null: not loaded
  std::optional<ModelDetails> details;
  std::optional<ApiError> failure;  // of the last load

  void serve(std::shared_ptr<ServedModel> model);
};

struct HostedAdapter : HostedModel {
  AppOptions::Adapter source;
  bool changes_model = false;  // has modules_to_save; served only where it is the base's one adapter, applied to it
};

struct HostedBase : HostedModel {
  using Clock = std::chrono::steady_clock;

  AppOptions::Model source;  // without adapters
  std::vector<std::shared_ptr<HostedAdapter>> adapters;
  std::string applied;                // the id of one that changes the model, while it is loaded so
  std::shared_ptr<LoadAttempt> load;  // null: none is queued or under way
  Clock::time_point failed_at;
  int waiting = 0;             // requests for the base or an adapter of it
  std::atomic<int> leases{0};  // grows under the mutex only, so that 0 stays 0 under it
  std::atomic<Clock::rep> last_used{0};

  bool in_use() const { return leases > 0 || waiting > 0; }
  int64_t adapter_bytes() const;
  // What was served, for the caller to let go of.
  std::vector<std::shared_ptr<ServedModel>> unload();
};

// Known by what their files say. Adapters of `source` are left aside.
std::shared_ptr<HostedBase> hosted_base(const AppOptions::Model& source, ModelOrigin origin);
std::shared_ptr<HostedAdapter> hosted_adapter(const AppOptions::Adapter& source, ModelOrigin origin);

// The base or the adapter as a request uses it: the base counts it until the last copy is gone.
std::shared_ptr<ServedModel> lease(const std::shared_ptr<HostedBase>& base, const std::shared_ptr<ServedModel>& served);

class ModelRoster {
 public:
  struct Found {
    std::shared_ptr<HostedBase> base;
    std::shared_ptr<HostedAdapter> adapter;  // null: the base itself

    const HostedModel& model() const { return adapter ? static_cast<const HostedModel&>(*adapter) : *base; }
    const std::string& id() const { return adapter ? adapter->source.id : base->source.id; }
    // Null until both are there.
    std::shared_ptr<ServedModel> served() const { return base->served ? model().served : nullptr; }
  };

  // Both throw kAlreadyExists when something answers to one of its ids.
  void add_base(const std::shared_ptr<HostedBase>& base);
  void add_adapter(HostedBase& base, const std::shared_ptr<HostedAdapter>& adapter);
  // The one of that id. Throws a 404, kInvalidArgument for an adapter's id, kFailedPrecondition when an adapter has
  // been applied to it: another is trained on the model as it was.
  std::shared_ptr<HostedBase> base_for_adapters(std::string_view id) const;
  // Returns what was served. Throws kFailedPrecondition for a base that has adapters.
  std::vector<std::shared_ptr<ServedModel>> remove(const Found& found);
  static void require_removable(const Found& found);

  // By its id, or an adapter's "base:id".
  std::optional<Found> find(std::string_view id) const;
  Found find_or_throw(std::string_view id) const;  // a 404 with what there is
  const std::vector<std::shared_ptr<HostedBase>>& bases() const { return bases_; }

  int64_t loaded_bytes() const;
  // Loaded bases that nobody uses, least recently used first, as few as hold `bytes` together; nothing when all of them
  // hold less.
  std::optional<std::vector<std::shared_ptr<HostedBase>>> idle_holding(int64_t bytes) const;
  std::vector<std::shared_ptr<HostedBase>> in_use() const;  // of those that are loaded

 private:
  void require_free(const std::string& name) const;

  std::vector<std::shared_ptr<HostedBase>> bases_;
};

}  // namespace hearth
