// Checkpoints of a run: output_dir/checkpoint-N holds the trained values, the optimizer's moments, the history and the
// job. A directory of that name is whole: it is written beside and renamed, so a crash at any moment leaves the last
// one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "finetune/objectives/objective.h"
#include "finetune/optim/adamw.h"
#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/trainable.h"

namespace hearth {

// Sums that a run's numbers are made of.
struct RunTotals {
  double loss = 0;         // of all steps
  double window_loss = 0;  // of the steps since the last log line
  int64_t window_steps = 0;
  std::vector<MetricSum> window_metrics;  // the objective's
  std::vector<double> objective_state;    // Objective::state
  int64_t evaluations_without_progress = 0;
  int64_t examples = 0, tokens = 0;  // trained on
  double seconds = 0;                // of all runs that led here
};

struct Checkpoint {
  std::filesystem::path directory;
  int64_t step = 0;
};

std::filesystem::path checkpoint_directory(const std::filesystem::path& output_dir, int64_t step);

// Whole ones, oldest first.
std::vector<Checkpoint> find_checkpoints(const std::filesystem::path& output_dir);
// What a process that was killed had not finished.
void remove_leftovers(const std::filesystem::path& output_dir);

struct Snapshot {
  const TrainSpec& spec;
  const Trainable& trainable;
  const AdamW* optimizer;  // null with save_only_model: such a checkpoint cannot be resumed
  const TrainerState& state;
  const RunTotals& totals;
};

// Returns its directory. Throws kUnavailable (a full disk ...); what was there before stays.
std::filesystem::path save_checkpoint(const Snapshot& snapshot);

// Puts a checkpoint's values back. Throws kNotFound or kDataCorruption naming the file, kFailedPrecondition for one
// that is of another job (naming the keys) or has no optimizer's state.
void load_checkpoint(const std::filesystem::path& directory, const TrainSpec& spec, Trainable& trainable,
                     AdamW& optimizer, TrainerState& state, RunTotals& totals);

// Removes the oldest beyond `limit`, never `best` or the newest.
void prune_checkpoints(const std::filesystem::path& output_dir, int limit, const std::optional<std::string>& best);

}  // namespace hearth
