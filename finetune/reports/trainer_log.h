// trainer_log.jsonl as LLaMA-Factory's LogCallback writes it: a line for each record, with the progress of the run. It
// has a line for each record of the history: a run that goes on from a checkpoint drops what was logged after it (the
// reference appends, or with overwrite_output_dir deletes all).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "finetune/reports/report.h"
#include "runtime/base/append_file.h"

namespace hearth {

// Where this process took the run up, which times and throughput count from.
struct RunBegin {
  int64_t global_step = 0, num_input_tokens_seen = 0;
};

class TrainerLog : public Report {
 public:
  std::string name() const override { return "trainer_log.jsonl"; }
  void on_begin(const TrainSpec& spec, const TrainerState& state) override;
  void on_log(const TrainerState& state) override;
  void on_end(const TrainerState& state, Outcome outcome) override;

 private:
  std::optional<AppendFile> file_;
  RunBegin begin_;
  std::chrono::steady_clock::time_point begin_time_;
};

// The line of the newest record.
std::string trainer_log_line(const TrainerState& state, const RunBegin& begin, double elapsed_seconds);

}  // namespace hearth
