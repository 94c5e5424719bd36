#include "server/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <arpa/inet.h>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/model_reference.h"
#include "finetune/spec/yaml_file.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr int kMaxCacheTokens = 1 << 26;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// An entry of `models`: "NAME=PATH", or a mapping with `path` and perhaps `name` and `template`.
ModelSpec model_from_yaml(const YAML::Node& node, const YamlEntry& entry) {
  if (node.IsScalar()) return parse_model_spec(node.Scalar());
  if (!node.IsMap())
    throw invalid_argument("{}: a model must be PATH_OR_NAME, NAME=PATH or a mapping with 'path'", entry.where);
  ModelSpec spec;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if ((key != "path" && key != "name" && key != "template") || !pair.second.IsScalar())
      throw invalid_argument("{}: a model has 'path', 'name' and 'template', all texts; found '{}'", entry.where, key);
    (key == "path" ? spec.reference : key == "name" ? spec.name : spec.template_name) = pair.second.Scalar();
  }
  if (!spec.template_name.empty()) check_template_name(spec.template_name, entry.where);
  if (spec.reference.empty()) throw invalid_argument("{}: a model lacks 'path'", entry.where);
  return spec;
}

// Without a name it has its directory's.
AdapterSpec with_name(AdapterSpec spec) {
  while (spec.path.size() > 1 && spec.path.ends_with('/')) spec.path.pop_back();
  if (spec.name.empty()) spec.name = std::filesystem::absolute(spec.path).lexically_normal().filename().string();
  return spec;
}

// An entry of `adapters`: as parse_adapter_spec takes it, or a mapping with `path` and perhaps `name` and `model`.
AdapterSpec adapter_from_yaml(const YAML::Node& node, const YamlEntry& entry) {
  if (node.IsScalar()) return parse_adapter_spec(node.Scalar());
  if (!node.IsMap())
    throw invalid_argument("{}: an adapter must be NAME=DIR, MODEL:NAME=DIR or a mapping with 'path'", entry.where);
  AdapterSpec spec;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if ((key != "path" && key != "name" && key != "model") || !pair.second.IsScalar())
      throw invalid_argument("{}: an adapter has 'path', 'name' and 'model', all texts; found '{}'", entry.where, key);
    (key == "path" ? spec.path : key == "name" ? spec.name : spec.model) = pair.second.Scalar();
  }
  if (spec.path.empty()) throw invalid_argument("{}: an adapter lacks 'path'", entry.where);
  return with_name(std::move(spec));
}

void read_chat_entry(const YamlEntry& entry, ServeConfig& config) { read_chat_key(entry, config.chat); }

struct ServeKey {
  std::string_view name;
  void (*apply)(const YamlEntry& entry, ServeConfig& config);
};

constexpr ServeKey kServeKeys[] = {
    {"models",
     [](const YamlEntry& e, ServeConfig& c) {
       if (!e.value.IsSequence()) return c.models.push_back(model_from_yaml(e.value, e));
       for (const YAML::Node& node : e.value) c.models.push_back(model_from_yaml(node, e));
     }},
    {"adapters",
     [](const YamlEntry& e, ServeConfig& c) {
       if (!e.value.IsSequence()) return c.adapters.push_back(adapter_from_yaml(e.value, e));
       for (const YAML::Node& node : e.value) c.adapters.push_back(adapter_from_yaml(node, e));
     }},
    {"host", [](const YamlEntry& e, ServeConfig& c) { c.host = yaml_string(e); }},
    {"port", [](const YamlEntry& e, ServeConfig& c) { c.port = static_cast<int>(yaml_int(e, 0, 65535)); }},
    {"api_keys", [](const YamlEntry& e, ServeConfig& c) { c.api_keys = yaml_strings(e); }},
    {"cors_origins", [](const YamlEntry& e, ServeConfig& c) { c.cors_origins = yaml_strings(e); }},
    {"infer_dtype", [](const YamlEntry& e, ServeConfig& c) { c.infer_dtype = parse_infer_dtype(yaml_string(e)); }},
    {"cache_tokens",
     [](const YamlEntry& e, ServeConfig& c) { c.cache_tokens = static_cast<int>(yaml_int(e, 16, kMaxCacheTokens)); }},
    {"max_running", [](const YamlEntry& e, ServeConfig& c) { c.max_running = static_cast<int>(yaml_int(e, 1, 4096)); }},
    {"max_queued",
     [](const YamlEntry& e, ServeConfig& c) { c.max_queued = static_cast<int>(yaml_int(e, 0, 1'000'000)); }},
    {"template", read_chat_entry},
    {"default_system", read_chat_entry},
    {"tool_format", read_chat_entry},
    {"enable_thinking", read_chat_entry},
    {"preserve_thinking", read_chat_entry},
};

// Of what the model was trained by; to serving, a reward model is another thing than all the others.
std::string parse_stage(const YamlEntry& entry) {
  constexpr std::string_view kStages[] = {"sft", "pt", "rm", "ppo", "dpo", "kto"};
  std::string stage = yaml_string(entry);
  if (std::find(std::begin(kStages), std::end(kStages), stage) == std::end(kStages))
    throw invalid_argument("{}: 'stage' is '{}'{}, must be one of {}", entry.where, stage, did_you_mean(stage, kStages),
                           fmt::join(kStages, ", "));
  return stage;
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

ServeConfig load_serve_config(const std::filesystem::path& path) {
  ServeConfig config;
  for (const YamlEntry& entry : read_yaml_entries(path)) {
    const auto* found = std::find_if(std::begin(kServeKeys), std::end(kServeKeys),
                                     [&](const ServeKey& key) { return key.name == entry.key; });
    if (found == std::end(kServeKeys)) {
      if (entry.key == "model_name_or_path")
        throw invalid_argument("{}: this is an inference YAML of LLaMA-Factory: start it with `hearth api {}`",
                               entry.where, path.string());
      std::vector<std::string_view> names;
      for (const ServeKey& key : kServeKeys) names.push_back(key.name);
      throw invalid_argument("{}: unknown key '{}'{}", entry.where, entry.key, did_you_mean(entry.key, names));
    }
    if (!entry.is_null() || entry.key == "enable_thinking") found->apply(entry, config);
  }
  return config;
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

void apply_api_environment(ServeConfig& config) {
  if (const std::string host = environment("API_HOST"); !host.empty()) config.host = host;
  if (const std::string port = environment("API_PORT"); !port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), config.port);
    if (error != std::errc() || end != port.data() + port.size())
      throw invalid_argument("API_PORT is '{}', must be a port from 0 to 65535", port);
  }
  if (const std::string key = environment("API_KEY"); !key.empty()) config.api_keys = {key};
  if (const std::string name = environment("API_MODEL_NAME"); !name.empty())
    for (ModelSpec& model : config.models) model.name = name;
  if (const std::string origins = environment("API_CORS_ORIGINS"); !origins.empty())
    config.cors_origins = split_at_commas(origins);
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
}

void check_exposure(std::string_view host, const std::vector<std::string>& api_keys) {
  if (api_keys.empty() && !is_loopback(host))
    throw invalid_argument(
        "host {} can be reached from the network and there is no API key: add --api-key KEY (api: API_KEY), or listen "
        "on 127.0.0.1",
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
  if (config.port < 0 || config.port > 65535)
    throw invalid_argument("port is {}, must be from 0 to 65535", config.port);
  if (config.host.empty()) throw invalid_argument("the host is empty: 127.0.0.1 or an address of this machine");
  if (config.cache_tokens < 16 || config.cache_tokens > kMaxCacheTokens)
    throw invalid_argument("cache_tokens is {}, must be from 16 to {}", config.cache_tokens, kMaxCacheTokens);
  if (config.max_running < 1 || config.max_running > 4096)
    throw invalid_argument("max_running is {}, must be from 1 to 4096", config.max_running);
  if (config.max_queued < 0 || config.max_queued > 1'000'000)
    throw invalid_argument("max_queued is {}, must be from 0 to 1000000", config.max_queued);
  for (const std::string& key : config.api_keys)
    if (key.empty() || std::any_of(key.begin(), key.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7f; }))
      throw invalid_argument("an API key is empty or has spaces or other than ASCII characters");
  check_exposure(config.host, config.api_keys);
  if (config.models.empty()) check_chat_options(config.chat);
  for (const ModelSpec& model : config.models) check_chat_options(config.chat_of(model));
  check_names(config);
}

}  // namespace hearth
