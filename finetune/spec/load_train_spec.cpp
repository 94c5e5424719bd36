#include "finetune/spec/load_train_spec.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "finetune/spec/check_train_spec.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// Whether the job's stage, and its loss, read a key of preferences; true for every other key.
bool reads(const TrainSpec& spec, std::string_view key) {
  constexpr std::string_view kOfPairs[] = {
      "pref_loss",    "loss_weights", "pref_bco_weight",   "dpo_label_smoothing",     "simpo_gamma",
      "discopop_tau", "ld_alpha",     "f_divergence_type", "f_alpha_divergence_coef", "use_weighting"};
  const bool is_dpo = spec.stage == Stage::kDpo, is_kto = spec.stage == Stage::kKto;
  if (std::find(std::begin(kOfPairs), std::end(kOfPairs), key) != std::end(kOfPairs)) return is_dpo;
  if (key.starts_with("kto_")) return is_kto;
  if (key.starts_with("ref_model")) return is_kto || (is_dpo && spec.preference.has_reference());
  return (key != "pref_beta" && key != "pref_ftx") || is_dpo || is_kto;
}

void warn_of_unread(TrainSpec& spec, const KeyPlaces& places) {
  TrainSpec defaults;
  const std::vector<SpecField> given = result_fields(spec), plain = result_fields(defaults);
  for (size_t i = 0; i < given.size(); ++i)
    if (places.has(given[i].key) && !reads(spec, given[i].key) && given[i].text() != plain[i].text())
      spec.warnings.push_back(fmt::format("{}: '{}' has no effect on stage {}{}", places.of(given[i].key), given[i].key,
                                          name_of(spec.stage),
                                          spec.stage == Stage::kDpo ? " with this 'pref_loss'" : ""));
}

TrainSpec read_train_spec(const std::vector<YamlEntry>& entries, std::string_view name) {
  TrainSpec spec;
  SpecAliases aliases;
  std::vector<SpecField> fields = result_fields(spec);
  for (std::vector<SpecField>& more : std::vector{run_fields(spec), aliases.fields(spec)})
    std::move(more.begin(), more.end(), std::back_inserter(fields));
  KeyPlaces places{std::string(name), {}};
  for (const YamlEntry& entry : used_entries(entries, &KnownKey::training, name, spec.warnings)) {
    // null is a value of its own here, and the default everywhere else.
    if (entry.is_null() && entry.key != "enable_thinking") continue;
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const SpecField& one) { return one.key == entry.key; });
    HEARTH_CHECK(found != fields.end());
    found->read(entry);
    places.lines[entry.key] = entry.where;
  }
  aliases.resolve(spec);
  check_train_spec(spec, places);
  warn_of_unread(spec, places);
  return spec;
}

}  // namespace

TrainSpec load_train_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides) {
  return read_train_spec(with_overrides(read_yaml_entries(yaml), overrides), yaml.string());
}

TrainSpec parse_train_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides) {
  return read_train_spec(with_overrides(parse_yaml_entries(text, name), overrides), name);
}

}  // namespace hearth
