// do_predict: what a model answers to the examples that a job is evaluated with, and what the answers are worth.
// In output_dir afterwards: generated_predictions.jsonl, predict_scores.jsonl (of each answer) and, last,
// predict_results.json. Source: LLaMA-Factory's run_sft and CustomSeq2SeqTrainer.save_predictions.
#pragma once

#include <nlohmann/json.hpp>

#include "finetune/spec/train_spec.h"
#include "finetune/trainer/train.h"

namespace hearth {

struct PredictResult {
  LogRecord metrics;                   // predict_results.json
  nlohmann::ordered_json scores = {};  // of them the means of scores
  bool stopped = false;                // on request: the same job goes on behind the last line
};

// The model is that of the job, with its adapters; where do_train is set, what its training left in output_dir. It is
// loaded and computes as when it is served. A finished run is begun anew. Throws as run_job, and kFailedPrecondition
// where the training is not finished.
PredictResult predict(const TrainSpec& spec, JobMonitor& monitor);

// Whether output_dir has finished predictions.
bool has_predictions(const TrainSpec& spec);

}  // namespace hearth
