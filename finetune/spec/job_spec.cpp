#include "finetune/spec/job_spec.h"

#include <algorithm>
#include <type_traits>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

enum class Form { kTraining, kMultipleChoice, kExport };

bool has(const std::vector<YamlEntry>& entries, std::string_view key) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const YamlEntry& entry) { return entry.key == key && !entry.is_null(); });
}

Form form_of(const std::vector<YamlEntry>& entries) {
  if (has(entries, "task")) return Form::kMultipleChoice;
  return has(entries, "export_dir") && !has(entries, "output_dir") ? Form::kExport : Form::kTraining;
}

}  // namespace

JobSpec load_job_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides) {
  return parse_job_spec(read_file(yaml), yaml.string(), overrides);
}

JobSpec parse_job_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides) {
  switch (form_of(with_overrides(parse_yaml_entries(text, name), overrides))) {
    case Form::kMultipleChoice:
      return parse_multiple_choice_spec(text, name, overrides);
    case Form::kExport:
      return parse_export_spec(text, name, overrides);
    case Form::kTraining:
      break;
  }
  return parse_train_spec(text, name, overrides);
}

std::string_view kind_of(const JobSpec& spec) {
  if (std::holds_alternative<MultipleChoiceSpec>(spec)) return kEvalJob;
  if (std::holds_alternative<ExportSpec>(spec)) return kExportJob;
  const TrainingSpec& training = std::get<TrainSpec>(spec).training;
  if (training.do_train) return kTrainJob;
  return training.do_predict ? kPredictJob : kEvalJob;
}

std::string to_yaml(const JobSpec& spec) {
  return std::visit(
      [](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, TrainSpec>)
          return to_yaml(one);
        else
          return one.yaml;
      },
      spec);
}

const std::vector<std::string>& warnings_of(const JobSpec& spec) {
  return std::visit([](const auto& one) -> const std::vector<std::string>& { return one.warnings; }, spec);
}

JobOutput output_of(std::string_view text, std::string_view name) {
  const std::vector<YamlEntry> entries = parse_yaml_entries(text, name);
  const Form form = form_of(entries);
  JobOutput output{form == Form::kMultipleChoice ? "save_dir"
                   : form == Form::kExport       ? "export_dir"
                                                 : "output_dir",
                   {}};
  for (const YamlEntry& entry : entries)
    if (entry.key == output.key && !entry.is_null()) output.directory = yaml_string(entry);
  return output;
}

}  // namespace hearth
