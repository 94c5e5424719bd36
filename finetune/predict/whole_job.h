// A job from its training to its predictions, in LLaMA-Factory's order: train, evaluate, predict.
#pragma once

#include <optional>

#include "finetune/parallel/communicator.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/train.h"

namespace hearth {

// What the job asks for of run_job and predict. A run that was cut off while it predicted does not train again. Of
// several processes one predicts. Throws what they throw.
JobResult run_whole_job(const TrainSpec& spec, JobMonitor& monitor, Communicator& processes);

// The file that a job writes last, and what is in all_results.json once it is there and of this very job.
std::filesystem::path last_file(const TrainSpec& spec);
std::optional<LogRecord> finished_job(const TrainSpec& spec);

}  // namespace hearth
