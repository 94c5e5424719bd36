// Keeps what a run says, and stops it after a step.
#pragma once

#include <filesystem>
#include <vector>

#include "finetune/trainer/trainer.h"

namespace hearth {

struct QuietMonitor : TrainingMonitor {
  void on_step(const TrainerState& state, double, double) override { steps = state.global_step; }
  void on_log(const LogRecord& record) override { records.push_back(record); }
  void on_evaluating(int64_t, int64_t) override {}
  void on_checkpoint(const std::filesystem::path& directory) override { checkpoints.push_back(directory); }
  bool stop_requested() override { return steps == stop_after; }

  int64_t steps = 0, stop_after = -1;
  std::vector<LogRecord> records;
  std::vector<std::filesystem::path> checkpoints;
};

}  // namespace hearth
