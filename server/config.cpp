#include "server/config.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <arpa/inet.h>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/field_makers.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/model_reference.h"
#include "finetune/spec/yaml_file.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "server/jobs/slurm.h"

namespace hearth {
namespace {

// Of what the model was trained by; to serving, a reward model is another thing than all the others.
std::string parse_stage(const YamlEntry& entry) {
  constexpr std::string_view kStages[] = {"sft", "pt", "rm", "ppo", "dpo", "kto"};
  return std::string(kStages[read_choice(entry, kStages)]);
}

// Collects what the used keys say; they depend on each other.
struct InferenceReader {
  std::string model, revision = "main";
  std::vector<std::string> adapters;
  bool do_sample = true, is_reward_model = false;
  ServeConfig config;

  void read(const YamlEntry& entry) {
    if (read_chat_key(entry, config.chat) || entry.is_null()) return;
    if (entry.key == "model_name_or_path") model = yaml_string(entry);
    if (entry.key == "model_revision") revision = yaml_string(entry);
    if (entry.key == "adapter_name_or_path") adapters = yaml_comma_list(entry);
    if (entry.key == "stage") is_reward_model = parse_stage(entry) == "rm";
    if (entry.key == "do_sample") do_sample = yaml_bool(entry);
    if (entry.key == "temperature") config.generation.temperature = static_cast<float>(yaml_float(entry, 0, 2));
    if (entry.key == "top_p") config.generation.top_p = static_cast<float>(yaml_float(entry, 0, 1));
    if (entry.key == "top_k") config.generation.top_k = static_cast<int>(yaml_int(entry, 0, 1 << 30));
    if (entry.key == "repetition_penalty")
      config.generation.repetition_penalty = static_cast<float>(yaml_float(entry, 0.01, 100));
    if (entry.key == "max_new_tokens") config.default_max_tokens = static_cast<int>(yaml_int(entry, 1, 1 << 30));
    if (entry.key == "infer_dtype") {
      const std::string dtype = yaml_string(entry);
      // LLaMA-Factory's 16-bit types are what the fast path computes in anyway.
      config.infer_dtype = dtype == "bfloat16" || dtype == "float16" ? ComputeDtype::kAuto : parse_infer_dtype(dtype);
    }
  }

  ServeConfig finish() {
    if (!do_sample) config.generation.temperature = 0.0f;
    if (model.empty()) return config;
    config.models.push_back({.reference = with_revision(model, revision),
                             .name = "",
                             .adapter_name_or_path = adapters,
                             .is_reward_model = is_reward_model});
    return config;
  }
};

}  // namespace

ModelSpec parse_model_spec(std::string_view text) {
  const size_t equals = text.find('=');
  // A path that has an '=' in it and exists is a path.
  if (equals == std::string_view::npos || std::filesystem::exists(std::filesystem::path(text)))
    return {std::string(text), ""};
  if (equals == 0 || equals + 1 == text.size())
    throw invalid_argument("model '{}': must be PATH_OR_NAME or NAME=PATH", text);
  return {std::string(text.substr(equals + 1)), std::string(text.substr(0, equals))};
}

AdapterSpec with_name(AdapterSpec spec) {
  while (spec.path.size() > 1 && spec.path.ends_with('/')) spec.path.pop_back();
  if (spec.name.empty()) spec.name = std::filesystem::absolute(spec.path).lexically_normal().filename().string();
  return spec;
}

AdapterSpec parse_adapter_spec(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || std::filesystem::exists(std::filesystem::path(text)))
    return with_name({.name = "", .path = std::string(text)});
  const std::string_view left = text.substr(0, equals), path = text.substr(equals + 1);
  const size_t colon = left.rfind(':');
  const std::string_view model = colon == std::string_view::npos ? "" : left.substr(0, colon);
  const std::string_view name = colon == std::string_view::npos ? left : left.substr(colon + 1);
  if (name.empty() || path.empty() || (colon != std::string_view::npos && model.empty()))
    throw invalid_argument("adapter '{}': must be NAME=DIR, MODEL:NAME=DIR or DIR", text);
  return with_name({std::string(name), std::string(path), std::string(model)});
}

std::string ModelSpec::id() const { return name.empty() ? model_id(reference) : name; }

ComputeDtype parse_infer_dtype(std::string_view text) {
  if (text == "auto") return ComputeDtype::kAuto;
  if (text == "float32") return ComputeDtype::kFloat32;
  throw invalid_argument("infer_dtype is '{}', must be auto (fast) or float32 (exact)", text);
}

InferenceConfig load_inference_config(const std::filesystem::path& path, std::span<const std::string> overrides) {
  InferenceConfig result;
  InferenceReader reader;
  for (const YamlEntry& entry : used_entries(with_overrides(read_yaml_entries(path), overrides), &KnownKey::inference,
                                             path.string(), result.warnings))
    reader.read(entry);
  result.serve = reader.finish();
  if (result.serve.models.empty()) throw invalid_argument("{}: lacks 'model_name_or_path'", path.string());
  return result;
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
}

void check_exposure(std::string_view host, bool needs_key) {
  if (!needs_key && !is_loopback(host))
    throw invalid_argument(
        "host {} can be reached from the network and there is no API key: make one with `hearth keys "
        "create NAME`, add --api-key KEY (api: API_KEY), or listen on 127.0.0.1",
        host);
}

ChatOptions ServeConfig::chat_of(const ModelSpec& model) const {
  ChatOptions out = chat;
  if (!model.template_name.empty()) out.template_name = model.template_name;
  return out;
}

std::vector<AdapterSpec> ServeConfig::adapters_of(const std::string& model_id) const {
  std::vector<AdapterSpec> mine;
  for (const AdapterSpec& adapter : adapters)
    if (adapter.model.empty() || adapter.model == model_id) mine.push_back(adapter);
  return mine;
}

namespace {

void check_names(const ServeConfig& config) {
  std::vector<std::string> models;
  for (const ModelSpec& model : config.models) models.push_back(model.id());
  if (models.empty()) models.emplace_back(kDefaultModel);
  std::set<std::string> names;
  for (const std::string& name : models)
    if (!names.insert(name).second)
      throw invalid_argument("two models are named '{}': rename one with NAME=PATH", name);
  for (const AdapterSpec& adapter : config.adapters) {
    if (adapter.model.empty() && models.size() > 1)
      throw invalid_argument("adapter '{}': there are {} models; say for which: MODEL:{}={}", adapter.name,
                             models.size(), adapter.name, adapter.path);
    const std::string& model = adapter.model.empty() ? models.front() : adapter.model;
    if (std::find(models.begin(), models.end(), model) == models.end())
      throw invalid_argument("adapter '{}' is for '{}', which is not served{}; there is '{}'", adapter.name, model,
                             did_you_mean(model, models), fmt::join(models, "', '"));
    for (const std::string& name : {adapter.name, model + ":" + adapter.name})
      if (!names.insert(name).second)
        throw invalid_argument("adapter '{}': something else is served as '{}': rename it with NAME=DIR", adapter.path,
                               name);
  }
}

}  // namespace

void check_serve_config(const ServeConfig& config) {
  if (config.host.empty()) throw invalid_argument("the host is empty: 127.0.0.1 or an address of this machine");
  for (const std::string& key : config.api_keys)
    if (key.empty() || std::any_of(key.begin(), key.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7f; }))
      throw invalid_argument("an API key is empty or has spaces or other than ASCII characters");
  check_slurm_options(config.executor.slurm.options);
  if (config.models.empty()) check_chat_options(config.chat);
  for (const ModelSpec& model : config.models) check_chat_options(config.chat_of(model));
  check_names(config);
}

}  // namespace hearth
