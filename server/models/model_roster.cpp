#include "server/models/model_roster.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "models/adapters/adapter_config.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "server/chat_sampling.h"
#include "server/load_served.h"
#include "server/models/model_memory.h"

namespace hearth {
namespace {

constexpr size_t kMostNamesTold = 20;
constexpr size_t kLongestId = 1024;  // that is looked at; whoever sends it decides about its length
constexpr std::string_view kTrainedPrefix = "ft:";

bool is_deletable(const std::string& id, ModelOrigin origin) {
  return origin == ModelOrigin::kTrained || id.starts_with(kTrainedPrefix);
}

bool is_full_id(std::string_view name, std::string_view base, std::string_view adapter) {
  return name.size() == base.size() + 1 + adapter.size() && name.starts_with(base) && name.ends_with(adapter) &&
         name[base.size()] == ':';
}

struct Lease {
  Lease(std::shared_ptr<HostedBase> of, std::shared_ptr<ServedModel> model)
      : base(std::move(of)), served(std::move(model)) {
    ++base->leases;
  }
  ~Lease() {
    served.reset();
    base->last_used = HostedBase::Clock::now().time_since_epoch().count();
    --base->leases;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  std::shared_ptr<HostedBase> base;
  std::shared_ptr<ServedModel> served;
};

}  // namespace

void HostedModel::serve(std::shared_ptr<ServedModel> model) {
  details = {.max_context = model->engine->max_context(),
             .is_chat_model = model->loaded.is_chat_model(),
             .is_reward_model = model->value_head != nullptr,
             .sees = model->loaded.pictures != nullptr,
             .template_name = model->loaded.named_template ? model->loaded.named_template->name : "",
             .chat_sampling = chat_sampling(model->loaded.defaults)};
  failure.reset();
  served = std::move(model);
}

int64_t HostedBase::adapter_bytes() const {
  int64_t sum = 0;
  for (const auto& adapter : adapters) sum += adapter->bytes;
  return sum;
}

std::vector<std::shared_ptr<ServedModel>> HostedBase::unload() {
  applied.clear();
  std::vector<std::shared_ptr<ServedModel>> gone = {std::move(served)};
  for (const auto& adapter : adapters) gone.push_back(std::move(adapter->served));
  return gone;
}

std::shared_ptr<HostedBase> hosted_base(const AppOptions::Model& source, ModelOrigin origin) {
  auto base = std::make_shared<HostedBase>();
  base->source = source;
  base->source.adapters.clear();
  base->origin = origin;
  base->is_deletable = is_deletable(source.id, origin);
  base->created = modification_time(source.path);
  return base;
}

std::shared_ptr<HostedAdapter> hosted_adapter(const AppOptions::Adapter& source, ModelOrigin origin) {
  auto adapter = std::make_shared<HostedAdapter>();
  adapter->source = source;
  adapter->origin = origin;
  adapter->is_deletable = is_deletable(source.id, origin);
  adapter->created = modification_time(source.path);
  adapter->bytes = adapter_memory(source.path);
  try {
    adapter->changes_model = !read_adapter_config(source.path).modules_to_save.empty();
  } catch (const Error&) {  // reading it in earnest will tell
  }
  return adapter;
}

std::shared_ptr<ServedModel> lease(const std::shared_ptr<HostedBase>& base,
                                   const std::shared_ptr<ServedModel>& served) {
  const auto held = std::make_shared<Lease>(base, served);
  return {held, held->served.get()};
}

void ModelRoster::add_base(const std::shared_ptr<HostedBase>& base) {
  require_free(base->source.id);
  bases_.push_back(base);
}

void ModelRoster::add_adapter(HostedBase& base, const std::shared_ptr<HostedAdapter>& adapter) {
  require_free(adapter->source.id);
  require_free(ServedModel::adapter_id(base.source.id, adapter->source.id));
  base.adapters.push_back(adapter);
}

void ModelRoster::require_free(const std::string& name) const {
  if (find(name)) throw already_exists("something is served as '{}' already: choose another id", name);
}

std::shared_ptr<HostedBase> ModelRoster::base_for_adapters(std::string_view id) const {
  const Found found = find_or_throw(id);
  const HostedBase& base = *found.base;
  if (found.adapter) throw invalid_argument("'{}' is an adapter itself; attach to '{}'", id, base.source.id);
  std::string applied = base.applied;
  if (!base.source.applied.empty()) applied = base.source.applied.back().string();
  for (const auto& adapter : base.adapters)
    if (adapter->changes_model) applied = adapter->source.id;
  if (!applied.empty())
    throw failed_precondition(
        "'{}' answers with adapter '{}' applied to it and takes no other: serve the model once "
        "more under another id",
        id, applied);
  return found.base;
}

void ModelRoster::require_removable(const Found& found) {
  if (found.adapter || found.base->adapters.empty()) return;
  std::vector<std::string> ids;
  for (const auto& adapter : found.base->adapters) ids.push_back(adapter->source.id);
  throw failed_precondition("'{}' has adapters, which go first: '{}'", found.id(), fmt::join(ids, "', '"));
}

std::vector<std::shared_ptr<ServedModel>> ModelRoster::remove(const Found& found) {
  require_removable(found);
  if (found.adapter) {
    std::erase(found.base->adapters, found.adapter);
    found.adapter->removed = true;
    return {std::move(found.adapter->served)};
  }
  std::erase(bases_, found.base);
  found.base->removed = true;
  return found.base->unload();
}

std::optional<ModelRoster::Found> ModelRoster::find(std::string_view id) const {
  for (const auto& base : bases_) {
    if (base->source.id == id) return Found{base, nullptr};
    for (const auto& adapter : base->adapters)
      if (adapter->source.id == id || is_full_id(id, base->source.id, adapter->source.id)) return Found{base, adapter};
  }
  return std::nullopt;
}

ModelRoster::Found ModelRoster::find_or_throw(std::string_view id) const {
  id = id.substr(0, kLongestId);
  if (std::optional<Found> found = find(id)) return *std::move(found);
  std::vector<std::string> known;
  for (const auto& base : bases_) {
    known.push_back(base->source.id);
    for (const auto& adapter : base->adapters) {
      known.push_back(adapter->source.id);
      known.push_back(ServedModel::adapter_id(base->source.id, adapter->source.id));
    }
  }
  const std::string near = did_you_mean(id, known);
  const std::string more = known.size() > kMostNamesTold ? " and more, which GET /v1/models lists" : "";
  known.resize(std::min(known.size(), kMostNamesTold));
  throw ApiError(
      ErrorCode::kNotFound,
      fmt::format("the model '{}' does not exist{}; served: '{}'{}", id, near, fmt::join(known, "', '"), more),
      {.code = "model_not_found", .param = "model"});
}

int64_t ModelRoster::loaded_bytes() const {
  int64_t sum = 0;
  for (const auto& base : bases_)
    if (base->served) sum += base->bytes + base->adapter_bytes();
  return sum;
}

std::optional<std::vector<std::shared_ptr<HostedBase>>> ModelRoster::idle_holding(int64_t bytes) const {
  std::vector<std::shared_ptr<HostedBase>> idle;
  std::copy_if(bases_.begin(), bases_.end(), std::back_inserter(idle),
               [](const auto& base) { return base->served && !base->in_use(); });
  std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) { return a->last_used < b->last_used; });
  size_t enough = 0;
  for (; bytes > 0 && enough < idle.size(); ++enough) bytes -= idle[enough]->bytes + idle[enough]->adapter_bytes();
  if (bytes > 0) return std::nullopt;
  idle.resize(enough);
  return idle;
}

std::vector<std::shared_ptr<HostedBase>> ModelRoster::in_use() const {
  std::vector<std::shared_ptr<HostedBase>> used;
  std::copy_if(bases_.begin(), bases_.end(), std::back_inserter(used),
               [](const auto& base) { return base->served && base->in_use(); });
  return used;
}

}  // namespace hearth
