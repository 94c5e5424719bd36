#include "finetune/predict/whole_job.h"

#include <filesystem>

#include "finetune/predict/predict.h"
#include "finetune/reports/results.h"
#include "finetune/trainer/output_dir.h"
#include "runtime/base/own_thread.h"

namespace hearth {
namespace {

bool only_predictions_are_left(const TrainSpec& spec) {
  const TrainingSpec& t = spec.training;
  return t.do_train && t.do_predict && t.resume_from_checkpoint != "false" && finished_run(spec) &&
         !has_predictions(spec);
}

// The threads that trained must not stay beside those of the engine.
JobResult run_before_predicting(const TrainSpec& spec, JobMonitor& monitor, Communicator& processes) {
  if (processes.size() > 1) return run_job(spec, monitor, processes);  // MPI is spoken by the main thread
  return on_own_thread([&] { return run_job(spec, monitor, processes); });
}

}  // namespace

JobResult run_whole_job(const TrainSpec& spec, JobMonitor& monitor, Communicator& processes) {
  const TrainingSpec& t = spec.training;
  if (!t.do_predict) return run_job(spec, monitor, processes);
  JobResult result{.metrics = LogRecord::object()};
  if (processes.any(processes.writes() && only_predictions_are_left(spec))) {
    monitor.on_note(
        t.output_dir.string() +
        ": the training is finished, what is left is to predict (resume_from_checkpoint: false starts anew)");
    result.metrics = *finished_run(spec);
  } else if (t.do_train || t.do_eval) {
    result = run_before_predicting(spec, monitor, processes);
  } else {
    for (const std::string& warning : spec.warnings) monitor.on_warning(warning);
  }
  if (result.stopped) return result;
  if (processes.writes()) {
    const PredictResult predicted = predict(spec, monitor);
    result.stopped = predicted.stopped;
    if (!predicted.stopped) result.metrics.update(predicted.metrics);
  }
  result.stopped = processes.any(result.stopped);
  return result;
}

std::filesystem::path last_file(const TrainSpec& spec) {
  return spec.training.output_dir / (spec.training.do_predict ? kPredictionResults : "train_results.json");
}

std::optional<LogRecord> finished_job(const TrainSpec& spec) {
  if (spec.training.do_predict && !has_predictions(spec)) return std::nullopt;
  if (spec.training.do_train) return finished_run(spec);
  return spec.training.do_predict ? load_results(spec.training.output_dir, "predict") : std::nullopt;
}

}  // namespace hearth
