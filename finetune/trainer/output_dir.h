// What is in output_dir before a job begins, and what follows from it.
//
// A run that was cut off goes on, with overwrite_output_dir too: "overwrite" is for finished runs and for those of
// other jobs. (LLaMA-Factory starts anew then, and loses what was done.)
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"
#include "runtime/base/directory_lock.h"

namespace hearth {

struct OutputDir {
  std::optional<std::filesystem::path> checkpoint;  // to go on from
  bool replaces = false;                            // files of another run are there, and are to be removed
  std::string note;                                 // for the user; empty: nothing to say
};

// What predictions leave in output_dir.
inline constexpr const char* kPredictionsFile = "generated_predictions.jsonl";
inline constexpr const char* kPredictionState = "predict_state.json";
inline constexpr const char* kPredictionScores = "predict_scores.jsonl";
inline constexpr const char* kPredictionResults = "predict_results.json";

// Held while a job writes there: a second one is refused (kFailedPrecondition).
class OutputDirLock : public DirectoryLock {
 public:
  explicit OutputDirLock(const std::filesystem::path& output_dir);
};

// Changes nothing. Throws kFailedPrecondition for a directory that holds a finished run or one of another job and may
// not be overwritten, kNotFound for a checkpoint that is named and not there.
OutputDir inspect_output_dir(const TrainSpec& spec);

// The results of a finished run of this very job in output_dir; nothing where there is none.
std::optional<LogRecord> finished_run(const TrainSpec& spec);

// Checkpoints, logs, results and predictions of a run; nothing else. Throws kUnavailable.
void remove_run(const std::filesystem::path& output_dir);
// The predictions alone.
void remove_predictions(const std::filesystem::path& output_dir);

// Throws kFailedPrecondition where output_dir has no finished run, of whatever job.
void require_finished(const std::filesystem::path& output_dir);
// The adapters that what the job trains stands on, in order, and output_dir, its own, at the end. Of lora.
std::vector<std::string> trained_adapters(const TrainSpec& spec);

}  // namespace hearth
