// A job of the queue by LLaMA-Factory's YAML: training, evaluation and predictions.
#pragma once

#include <atomic>

#include "finetune/parallel/communicator.h"
#include "finetune/spec/train_spec.h"
#include "server/jobs/job_directory.h"
#include "server/jobs/worker_events.h"

namespace hearth {

// What an attempt gets to do its work with.
struct WorkerContext {
  const JobDirectory& directory;
  WorkerEvents* events;           // null: another process tells
  Communicator& processes;        // that work together
  const std::atomic<bool>& stop;  // save and end
  std::atomic<bool>& saves;       // to be set when there is something to save
};

enum class WorkerOutcome { kFinished, kStopped };

// The job that an earlier attempt has finished is not run again. Throws what
// run_whole_job throws.
WorkerOutcome run_training(const WorkerContext& context, TrainSpec spec);

}  // namespace hearth
