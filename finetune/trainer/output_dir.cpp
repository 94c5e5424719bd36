#include "finetune/trainer/output_dir.h"

#include <array>
#include <vector>

#include <fmt/ranges.h>

#include "finetune/reports/results.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "finetune/trainer/checkpoint.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// The mark of a finished run goes last: until then the directory is not taken for a run that was cut off.
constexpr std::array kResultFiles = {"eval_results.json", "all_results.json",  "trainer_state.json",
                                     "trainer_log.jsonl", "training_loss.png", "training_eval_loss.png",
                                     "train_results.json"};
constexpr std::array kPredictionFiles = {kPredictionsFile, kPredictionState, kPredictionScores, kPredictionResults};
constexpr std::array kWeightFiles = {"adapter_model.safetensors", "adapter_model.bin", "model.safetensors",
                                     "model.safetensors.index.json", "pytorch_model.bin"};

bool is_finished(const fs::path& directory) { return fs::exists(directory / "train_results.json"); }

bool has_weights(const fs::path& directory) {
  for (const char* name : kWeightFiles)
    if (fs::exists(directory / name)) return true;
  return false;
}

// The keys in which the job that wrote the directory, a checkpoint or an output_dir, is another.
std::vector<std::string> other_keys(const fs::path& directory, const TrainSpec& spec) {
  const fs::path file = directory / "training_args.yaml";
  if (!fs::exists(file)) return {"training_args.yaml"};
  return differences(load_train_spec(file), spec);
}

OutputDir named_checkpoint(const std::string& name, const TrainSpec& spec) {
  fs::path directory = name;
  if (name == "true") {
    const std::vector<Checkpoint> found = find_checkpoints(spec.training.output_dir);
    if (found.empty())
      throw not_found("resume_from_checkpoint: {} has no checkpoint; leave the key out to start anew",
                      spec.training.output_dir.string());
    directory = found.back().directory;
  } else if (!fs::is_directory(directory)) {
    throw not_found("resume_from_checkpoint: {} is no directory", name);
  }
  return {.checkpoint = directory, .replaces = false, .note = fmt::format("going on from {}", directory.string())};
}

}  // namespace

OutputDirLock::OutputDirLock(const fs::path& output_dir)
    : DirectoryLock(output_dir, "output_dir",
                    fmt::format("output_dir: another process is training into {}; wait for it, or choose another",
                                output_dir.string())) {}

OutputDir inspect_output_dir(const TrainSpec& spec) {
  const TrainingSpec& t = spec.training;
  std::error_code ignored;  // of what is not there
  if (fs::exists(t.output_dir, ignored) && !fs::is_directory(t.output_dir))
    throw failed_precondition("output_dir: {} is no directory; choose another", t.output_dir.string());
  if (fs::equivalent(t.output_dir, spec.model_name_or_path, ignored))
    throw failed_precondition("output_dir: {} is the model's own directory; choose another", t.output_dir.string());
  if (!t.do_train) return {};
  const std::string resume = t.resume_from_checkpoint.value_or("");
  if (!resume.empty() && resume != "false") return named_checkpoint(resume, spec);
  const fs::path& directory = t.output_dir;
  const std::vector<Checkpoint> checkpoints = find_checkpoints(directory);
  const bool finished = is_finished(directory);
  if (resume.empty() && !finished && !checkpoints.empty()) {
    const fs::path& last = checkpoints.back().directory;
    const std::vector<std::string> keys = other_keys(last, spec);
    if (keys.empty() && fs::exists(last / "optimizer.safetensors"))
      return {.checkpoint = last,
              .replaces = false,
              .note = fmt::format("going on from {} (resume_from_checkpoint: false starts anew)", last.string())};
    if (!t.overwrite_output_dir)
      throw failed_precondition(
          "{}: holds an unfinished run of another job ({} differ); choose another output_dir, or set "
          "overwrite_output_dir: true",
          directory.string(), keys.empty() ? "its checkpoints" : fmt::format("{}", fmt::join(keys, ", ")));
  }
  const bool holds_run = finished || !checkpoints.empty() || has_weights(directory);
  if (holds_run && !t.overwrite_output_dir)
    throw failed_precondition(
        "{}: Output directory already exists and is not empty. Please set `overwrite_output_dir`, or choose another",
        directory.string());
  OutputDir out;
  out.replaces = holds_run;
  return out;
}

std::optional<LogRecord> finished_run(const TrainSpec& spec) {
  const fs::path& directory = spec.training.output_dir;
  if (!is_finished(directory) || !other_keys(directory, spec).empty()) return std::nullopt;
  return load_results(directory, "train");
}

void remove_run(const fs::path& output_dir) {
  try {
    for (const Checkpoint& checkpoint : find_checkpoints(output_dir)) fs::remove_all(checkpoint.directory);
    for (const char* name : kPredictionFiles) fs::remove(output_dir / name);
    for (const char* name : kResultFiles) fs::remove(output_dir / name);
  } catch (const fs::filesystem_error& error) {
    throw unavailable("{}: the former run cannot be removed: {}", output_dir.string(), error.code().message());
  }
  remove_leftovers(output_dir);
}

void remove_predictions(const fs::path& output_dir) {
  try {
    for (const char* name : kPredictionFiles) fs::remove(output_dir / name);
  } catch (const fs::filesystem_error& error) {
    throw unavailable("{}: the former predictions cannot be removed: {}", output_dir.string(), error.code().message());
  }
}

void require_finished(const fs::path& output_dir) {
  if (!is_finished(output_dir))
    throw failed_precondition("{}: has no finished run: train first (hearth train)", output_dir.string());
}

std::vector<std::string> trained_adapters(const TrainSpec& spec) {
  std::vector<std::string> adapters = spec.adapter_name_or_path;
  if (!adapters.empty() && !spec.lora.create_new_adapter) adapters.pop_back();  // it is what was trained on
  adapters.push_back(spec.training.output_dir.string());
  return adapters;
}

}  // namespace hearth
