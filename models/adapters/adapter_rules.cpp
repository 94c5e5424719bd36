// Which linear maps an adapter's config means: check_target_module_exists and get_pattern_key of peft.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "models/adapters/adapter_config.h"

namespace hearth {
namespace {

constexpr std::string_view kAllLinear = "all-linear";

bool matches_whole(const Regex& regex, std::string_view text) { return regex.find(text, 0).has_value(); }

Regex whole(const std::string& expression) { return Regex("^(?:" + expression + ")$"); }
Regex end_of_path(const std::string& expression) { return Regex("^(?:.*\\.)?(?:" + expression + ")$"); }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool is_all_linear(const ModuleNames& names) { return names.expression && lower(*names.expression) == kAllLinear; }

std::optional<Regex> expression_of(const ModuleNames& names) {
  return names.expression ? std::optional(whole(*names.expression)) : std::nullopt;
}

bool ends_in_one(std::string_view path, const std::vector<std::string>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const std::string& suffix) { return ends_in_module(path, suffix); });
}

template <class Value>
Value first_match(const std::vector<std::pair<Regex, Value>>& patterns, std::string_view path, Value otherwise) {
  for (const auto& [regex, value] : patterns)
    if (matches_whole(regex, path)) return value;
  return otherwise;
}

}  // namespace

bool ends_in_module(std::string_view path, std::string_view suffix) {
  return path.ends_with(suffix) && (path.size() == suffix.size() || path[path.size() - suffix.size() - 1] == '.');
}

bool has_module(std::string_view path, std::string_view module) {
  for (size_t at = path.find(module); at != std::string_view::npos; at = path.find(module, at + 1)) {
    const size_t end = at + module.size();
    if ((at == 0 || path[at - 1] == '.') && (end == path.size() || path[end] == '.')) return !module.empty();
  }
  return false;
}

AdapterRules::AdapterRules(const AdapterConfig& config)
    : config_(config), exclude_(expression_of(config.exclude_modules)) {
  if (!is_all_linear(config.target_modules)) target_ = expression_of(config.target_modules);
  // The first number counts: an expert has one too.
  for (const std::string& pattern : config.layers_pattern)
    layers_.emplace_back("^(?:|.*?\\.)(?:" + pattern + ")\\.(?=\\d+\\.)");
  if (layers_.empty()) layers_.emplace_back(R"(^.*?\.[^.]*\.(?=\d+\.))");
  for (const auto& [expression, rank] : config.rank_pattern) ranks_.emplace_back(end_of_path(expression), rank);
  for (const auto& [expression, alpha] : config.alpha_pattern) alphas_.emplace_back(end_of_path(expression), alpha);
}

bool AdapterRules::targets(std::string_view path) const {
  if (exclude_ ? matches_whole(*exclude_, path) : ends_in_one(path, config_.exclude_modules.suffixes)) return false;
  if (std::any_of(config_.modules_to_save.begin(), config_.modules_to_save.end(),
                  [&](const std::string& module) { return has_module(path, module); }))
    return false;
  if (target_) return matches_whole(*target_, path);
  if (config_.target_modules.expression) return true;  // all-linear
  return ends_in_one(path, config_.target_modules.suffixes) && in_chosen_layer(path);
}

bool AdapterRules::in_chosen_layer(std::string_view path) const {
  if (config_.layers_to_transform.empty()) return true;
  for (const Regex& regex : layers_) {
    const std::optional<ByteRange> match = regex.find(path, 0);
    if (!match) continue;
    int64_t layer = -1;
    std::from_chars(path.data() + match->end, path.data() + path.size(), layer);
    return std::find(config_.layers_to_transform.begin(), config_.layers_to_transform.end(), layer) !=
           config_.layers_to_transform.end();
  }
  return false;
}

int AdapterRules::rank(std::string_view path) const { return first_match(ranks_, path, config_.rank); }

float AdapterRules::scale(std::string_view path) const {
  const double alpha = first_match(alphas_, path, config_.alpha);
  const double r = rank(path);
  return static_cast<float>(config_.use_rslora ? alpha / std::sqrt(r) : alpha / r);
}

}  // namespace hearth
