#include "finetune/spec/load_train_spec.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "finetune/spec/check_train_spec.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

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
