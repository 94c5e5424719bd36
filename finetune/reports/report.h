// What a run tells others about itself while it goes: the log in output_dir, TensorBoard, MLflow, W&B. The trainer
// calls Reports. A log that cannot be written ends the run; a tracker that fails is dropped with one warning.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

enum class Outcome { kFinished, kFailed, kStopped };

class Report {
 public:
  virtual ~Report() = default;
  virtual std::string name() const = 0;
  // Before the first update; a resumed run's state has its global_step and history.
  virtual void on_begin(const TrainSpec& spec, const TrainerState& state) = 0;
  // state.log_history.back() is new.
  virtual void on_log(const TrainerState& state) = 0;
  virtual void on_end(const TrainerState& state, Outcome outcome) = 0;
};

class Reports {
 public:
  // trainer_log.jsonl, and what report_to names. Throws kInvalidArgument for a name that is none.
  explicit Reports(const TrainSpec& spec);
  // `log` may be null: none.
  Reports(std::unique_ptr<Report> log, std::vector<std::unique_ptr<Report>> trackers)
      : log_(std::move(log)), trackers_(std::move(trackers)) {}

  // These throw what the log throws (kUnavailable).
  void on_begin(const TrainSpec& spec, const TrainerState& state);
  void on_log(const TrainerState& state);
  void on_end(const TrainerState& state, Outcome outcome);

 private:
  template <class Call>
  void each_tracker(Call call);

  std::unique_ptr<Report> log_;
  std::vector<std::unique_ptr<Report>> trackers_;
};

}  // namespace hearth
