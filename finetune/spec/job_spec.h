// The YAML of a job as what it is. The one place that tells trainings, multiple-choice evaluations and exports apart,
// which LLaMA-Factory does by its command, and that says what kind of job each is.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "finetune/spec/export_spec.h"
#include "finetune/spec/multiple_choice_spec.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

using JobSpec = std::variant<TrainSpec, MultipleChoiceSpec, ExportSpec>;

// A YAML with `task` is a multiple-choice evaluation, one with export_dir and without output_dir an export, every other
// what LLaMA-Factory's `train` takes. Throw kInvalidArgument; kNotFound for the file.
JobSpec load_job_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides = {});
JobSpec parse_job_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides = {});

// Kinds of jobs, by the name that the queue keeps.
inline constexpr std::string_view kTrainJob = "train";      // trains, and what else its YAML says
inline constexpr std::string_view kPredictJob = "predict";  // do_predict without do_train
inline constexpr std::string_view kEvalJob = "eval";        // do_eval alone, or multiple choice
inline constexpr std::string_view kExportJob = "export";
std::string_view kind_of(const JobSpec& spec);

// Reads back as the same.
std::string to_yaml(const JobSpec& spec);
const std::vector<std::string>& warnings_of(const JobSpec& spec);

// The directory that a job writes to, and the key that names it; an empty one where the YAML has none. The rest of the
// YAML may be one that an earlier version took. Throws kInvalidArgument for what is no YAML.
struct JobOutput {
  std::string_view key;
  std::filesystem::path directory;
};
JobOutput output_of(std::string_view text, std::string_view name);

}  // namespace hearth
