// A whole training job, from its spec to the files in output_dir: read top to bottom, this is what `hearth train` does.
#pragma once

#include <string>
#include <vector>

#include "finetune/datasets/example_stream.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/trainer.h"

namespace hearth {

// Also shown what happens before and after the loop, a line each.
class JobMonitor : public TrainingMonitor {
 public:
  virtual void on_note(const std::string& line) = 0;
  virtual void on_warning(const std::string& line) = 0;
  // "3 rows left out, the first: ..."; nothing of none. `what`: "examples of train".
  void warn_of_dropped(const DroppedRows& rows);
  void warn_of_dropped(const std::vector<DroppedExample>& examples, const std::string& what);
  virtual void on_steps(int64_t done, int64_t total) = 0;  // before the first step
  // Of predictions; first with what an earlier run left, before anything is generated.
  virtual void on_predicting(int64_t done, int64_t total, double tokens_per_second) = 0;
};

struct JobResult {
  LogRecord metrics;     // of training and of the evaluation at the end
  bool stopped = false;  // on request: the same job goes on from the checkpoint
};

// Everything that can be refused is refused before the first step: data and model, what is in output_dir, memory.
// Results are written whole or not at all, train_results.json last: a directory that has it is of a finished run.
// Throws kInvalidArgument, kNotFound, kFailedPrecondition, kResourceExhausted, kDataCorruption, kUnavailable.
// All processes that train together call it; the monitor of rank 0 alone should show anything.
JobResult run_job(const TrainSpec& spec, JobMonitor& monitor, Communicator& processes);

}  // namespace hearth
