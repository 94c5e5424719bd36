#include "models/adapters/adapter_config.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "models/config_reader.h"
#include "runtime/base/error.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr int kLargestRank = 1 << 16;
constexpr int kMostIterations = 1000;
constexpr double kLargestAlpha = 1e9;
constexpr int64_t kMostLayers = 100'000;
constexpr std::string_view kPissa = "pissa", kPissaIterations = "pissa_niter_";
// Initialisations that leave the base as it is: of a trained adapter they say nothing.
constexpr std::string_view kPlainInitialisations[] = {"gaussian", "eva", "orthogonal"};
// Keys that are read, and keys that do not bear on what a trained adapter computes.
constexpr std::string_view kKnown[] = {"alpha_pattern",
                                       "auto_mapping",
                                       "base_model_name_or_path",
                                       "bias",
                                       "exclude_modules",
                                       "fan_in_fan_out",
                                       "hearth",
                                       "inference_mode",
                                       "init_lora_weights",
                                       "layers_pattern",
                                       "layers_to_transform",
                                       "lora_alpha",
                                       "lora_dropout",
                                       "megatron_core",
                                       "modules_to_save",
                                       "peft_type",
                                       "peft_version",
                                       "qalora_group_size",
                                       "r",
                                       "rank_pattern",
                                       "revision",
                                       "runtime_config",
                                       "target_modules",
                                       "task_type",
                                       "use_dora",
                                       "use_rslora"};

std::string shown(const nlohmann::json& value) {
  return printable(value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

// null, false, "", {} and []: not asked for.
bool is_neutral(const nlohmann::json& value) {
  return value.is_null() || value == false || (value.is_string() && value == "") ||
         (value.is_structured() && value.empty());
}

void refuse_what_is_not_implemented(const nlohmann::json& json, const ConfigReader& reader) {
  const std::string type = reader.text("peft_type").value_or("LORA");
  if (type != "LORA")
    throw invalid_argument("{}: peft_type is '{}'; hearth reads LORA adapters", reader.place(), printable(type));
  const std::string bias = reader.text("bias").value_or("none");
  if (bias != "none")
    throw invalid_argument("{}: bias is '{}'; hearth's adapters leave biases alone ('none')", reader.place(),
                           printable(bias));
  for (const auto& [key, value] : json.items()) {
    const bool known = std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown);
    if (!known && !is_neutral(value))
      throw invalid_argument("{}: {} is {}; hearth does not implement it", reader.place(), printable(key),
                             shown(value));
  }
}

// One text or a list of them.
std::vector<std::string> one_or_more(const nlohmann::json& json, const ConfigReader& reader, const char* key) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_string()) return {found->get<std::string>()};
  return reader.texts(key);
}

ModuleNames module_names(const nlohmann::json& json, const ConfigReader& reader, const char* key) {
  ModuleNames names;
  const auto found = json.find(key);
  if (found != json.end() && found->is_string()) {
    names.expression = found->get<std::string>();
  } else {
    names.suffixes = reader.texts(key);
  }
  return names;
}

std::optional<int> pissa_iterations(const nlohmann::json& json, const std::string& place) {
  const auto found = json.find("init_lora_weights");
  if (found == json.end() || found->is_null() || found->is_boolean()) return std::nullopt;
  const std::string text = found->is_string() ? found->get<std::string>() : "";
  if (std::find(std::begin(kPlainInitialisations), std::end(kPlainInitialisations), text) !=
      std::end(kPlainInitialisations))
    return std::nullopt;
  if (text == kPissa) return -1;
  if (text.starts_with(kPissaIterations)) {
    int iterations = -1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + kPissaIterations.size(), end, iterations);
    if (error == std::errc() && stop == end && iterations >= 0 && iterations <= kMostIterations) return iterations;
  }
  throw invalid_argument(
      "{}: init_lora_weights is {}; hearth knows true, false, gaussian, eva, orthogonal, pissa and pissa_niter_N, the "
      "others change the base",
      place, shown(*found));
}

template <class Value, class Read>
std::vector<std::pair<std::string, Value>> pattern(const nlohmann::json& json, const ConfigReader& reader,
                                                   const char* key, const Read& read) {
  std::vector<std::pair<std::string, Value>> values;
  const std::optional<ConfigReader> object = reader.object(key);
  if (!object) return values;
  for (const auto& entry : json[key].items()) values.emplace_back(entry.key(), read(*object, entry.key()));
  return values;
}

nlohmann::json to_value(const std::vector<std::string>& texts) {
  return texts.empty() ? nlohmann::json() : nlohmann::json(texts);
}

nlohmann::json to_value(const ModuleNames& names) {
  return names.expression ? nlohmann::json(*names.expression) : to_value(names.suffixes);
}

// As Python writes a number that came as an integer.
nlohmann::json to_value(double number) {
  const auto whole = static_cast<int64_t>(number);
  return static_cast<double>(whole) == number ? nlohmann::json(whole) : nlohmann::json(number);
}

}  // namespace

AdapterConfig read_adapter_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "adapter_config.json";
  const nlohmann::json json = read_json_file(path);
  const ConfigReader reader(json, path.string());
  refuse_what_is_not_implemented(json, reader);
  AdapterConfig config;
  config.base_model_name_or_path = reader.text("base_model_name_or_path").value_or("");
  config.rank = static_cast<int>(reader.integer("r", 1, kLargestRank).value_or(config.rank));
  config.alpha = reader.number("lora_alpha", -kLargestAlpha, kLargestAlpha).value_or(config.alpha);
  config.dropout = reader.number("lora_dropout", 0, 1).value_or(0);
  config.target_modules = module_names(json, reader, "target_modules");
  config.exclude_modules = module_names(json, reader, "exclude_modules");
  config.layers_to_transform = reader.integers("layers_to_transform", 0, kMostLayers);
  config.layers_pattern = one_or_more(json, reader, "layers_pattern");
  config.modules_to_save = one_or_more(json, reader, "modules_to_save");
  config.rank_pattern = pattern<int>(json, reader, "rank_pattern", [](const ConfigReader& of, const std::string& key) {
    return static_cast<int>(of.required_integer(key, 1, kLargestRank));
  });
  config.alpha_pattern =
      pattern<double>(json, reader, "alpha_pattern", [](const ConfigReader& of, const std::string& key) {
        return of.required_number(key, -kLargestAlpha, kLargestAlpha);
      });
  config.use_rslora = reader.boolean("use_rslora").value_or(false);
  config.use_dora = reader.boolean("use_dora").value_or(false);
  config.fan_in_fan_out = reader.boolean("fan_in_fan_out").value_or(false);
  config.pissa_iterations = pissa_iterations(json, reader.place());
  return config;
}

std::string to_json(const AdapterConfig& config) {
  nlohmann::json json = nlohmann::json::parse(R"({"alora_invocation_tokens": null, "arrow_config": null,
    "auto_mapping": null, "bias": "none", "corda_config": null, "ensure_weight_tying": false, "eva_config": null,
    "inference_mode": true, "layer_replication": null, "loftq_config": {}, "lora_bias": false, "megatron_config": null,
    "megatron_core": "megatron.core", "peft_type": "LORA", "peft_version": "0.18.1", "qalora_group_size": 16,
    "revision": null, "target_parameters": null, "task_type": "CAUSAL_LM", "trainable_token_indices": null,
    "use_qalora": false})");
  json["base_model_name_or_path"] = config.base_model_name_or_path;
  json["r"] = config.rank;
  json["lora_alpha"] = to_value(config.alpha);
  json["lora_dropout"] = config.dropout;
  json["target_modules"] = to_value(config.target_modules);
  json["exclude_modules"] = to_value(config.exclude_modules);
  json["layers_to_transform"] =
      config.layers_to_transform.empty() ? nlohmann::json() : nlohmann::json(config.layers_to_transform);
  json["layers_pattern"] =
      config.layers_pattern.size() == 1 ? nlohmann::json(config.layers_pattern[0]) : to_value(config.layers_pattern);
  json["modules_to_save"] = to_value(config.modules_to_save);
  json["rank_pattern"] = json["alpha_pattern"] = nlohmann::json::object();
  for (const auto& [expression, rank] : config.rank_pattern) json["rank_pattern"][expression] = rank;
  for (const auto& [expression, alpha] : config.alpha_pattern) json["alpha_pattern"][expression] = to_value(alpha);
  json["use_rslora"] = config.use_rslora;
  json["use_dora"] = config.use_dora;
  json["fan_in_fan_out"] = config.fan_in_fan_out;
  json["init_lora_weights"] = true;
  if (config.pissa_iterations)
    json["init_lora_weights"] = *config.pissa_iterations < 0
                                    ? std::string(kPissa)
                                    : fmt::format("{}{}", kPissaIterations, *config.pissa_iterations);
  if (config.origin)
    json["hearth"] = {
        {"stage", config.origin->stage}, {"start", config.origin->start}, {"reference", config.origin->reference}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hearth
