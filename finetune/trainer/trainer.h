// The loop of training: batches through the one forward, recorded; gradients over accumulated batches; an update;
// now and then a log line, an evaluation, a checkpoint. Everything of a step follows from its number and the saved
// state, so a run that was killed goes on as if it had not been.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/objectives/objective.h"
#include "finetune/optim/adamw.h"
#include "finetune/optim/schedule.h"
#include "finetune/parallel/communicator.h"
#include "finetune/reports/report.h"
#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/checkpoint.h"
#include "finetune/trainer/evaluation.h"
#include "finetune/trainer/trainable.h"
#include "finetune/trainer/training_set.h"
#include "runtime/language_model.h"

namespace hearth {

// Where the run shows itself while it goes, and is asked whether to stop. Called on the training thread.
class TrainingMonitor {
 public:
  virtual ~TrainingMonitor() = default;
  virtual void on_step(const TrainerState& state, double loss, double tokens_per_second) = 0;
  virtual void on_log(const LogRecord& record) = 0;
  virtual void on_evaluating(int64_t done, int64_t total) = 0;  // examples
  virtual void on_checkpoint(const std::filesystem::path& directory) = 0;
  virtual bool stop_requested() = 0;
};

struct TrainingRun {
  const TrainSpec& spec;
  const LanguageModel& model;
  Trainable& trainable;
  PictureFeatures& pictures;  // that the model sees
  Objective& objective;
  TrainingSet& examples;
  const std::vector<EvalSet>& eval;
  Communicator& processes;
  int recomputed_layers = 0;  // Batch::recomputed_layers
  // In stages sft and pt a step's loss is the mean of its batches' means, and not of all its tokens: LLaMA-Factory's of
  // models that see.
  bool weighs_batches_alike = false;
};

class Trainer {
 public:
  // `reports` and `monitor` outlive it. Where several processes train together, all make one with the same job; the
  // parameters become those of rank 0, which alone writes checkpoints. Throws kInvalidArgument for a
  // metric_for_best_model that there is not.
  Trainer(const TrainingRun& run, Reports& reports, TrainingMonitor& monitor);

  int64_t total_steps() const { return run_.examples.steps(); }
  // Goes on from a checkpoint of the same job.
  void resume(const std::filesystem::path& checkpoint);

  struct Result {
    LogRecord metrics;        // train_runtime, train_loss ...
    bool stopped = false;     // on request, before the last step; a checkpoint is saved
    bool early_stop = false;  // for want of progress
  };
  // Throws kFailedPrecondition, naming step and remedy, when a loss or gradient is not finite.
  Result train();
  // Metrics of every evaluation set, by transformers' names: eval_loss, eval_runtime ...
  LogRecord evaluate();

  const TrainerState& state() const { return state_; }

 private:
  struct StepResult {
    double loss = 0, grad_norm = 0, learning_rate = 0;
    int64_t tokens = 0, examples = 0;
    std::vector<MetricSum> metrics;  // of the objective, over all batches
  };

  StepResult step(int64_t index);
  // Loss, metrics and gradients of all processes' batches.
  void add_up(StepResult& result);
  double backward(const ExampleBatch& examples, int64_t step, int64_t batch, const LossShare& share,
                  std::span<MetricSum> metrics);
  void log(const StepResult& result);
  // Evaluates, and takes note of the best and of the want of progress.
  void evaluate_and_judge();
  bool wants_progress() const;  // for as long as early_stopping_steps allows
  // `to_go_on`: with the optimizer's state, whatever save_only_model says.
  void save(bool to_go_on = false);
  void finish(Result& result, double seconds);

  TrainingRun run_;
  const TrainingSpec& training_;
  Reports& reports_;
  TrainingMonitor& monitor_;
  Schedule schedule_;
  AdamW optimizer_;
  std::string best_metric_;  // its key
  TrainerState state_;
  RunTotals totals_;
  int64_t last_evaluated_ = -1, last_saved_ = -1;
  LogRecord last_metrics_;  // of that evaluation
};

}  // namespace hearth
