#include "server/worker/training.h"

#include <filesystem>
#include <optional>

#include "finetune/predict/whole_job.h"
#include "finetune/reports/trainer_state.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/trainer/checkpoint.h"
#include "finetune/trainer/silent_monitor.h"
#include "finetune/trainer/train.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/worker/worker_monitor.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

class Monitor : public WorkerMonitor {
 public:
  explicit Monitor(const WorkerContext& context)
      : WorkerMonitor(*context.events, context.directory.began(), context.stop), saves_(context.saves) {}
  void on_steps(int64_t done, int64_t total) override {
    WorkerMonitor::on_steps(done, total);
    saves_ = true;
  }
  void on_predicting(int64_t done, int64_t total, double tokens_per_second) override {
    WorkerMonitor::on_predicting(done, total, tokens_per_second);
    saves_ = true;
  }

 private:
  std::atomic<bool>& saves_;
};

// What is in output_dir is of an earlier attempt of this job: it goes on from there, whatever the spec says of what the
// first attempt was to find.
void go_on(TrainSpec& spec) {
  spec.training.overwrite_output_dir = true;
  std::optional<std::string>& resume = spec.training.resume_from_checkpoint;
  if (resume == "false" || !find_checkpoints(spec.training.output_dir).empty()) resume.reset();
}

// What an earlier attempt came to, if it came to its end.
std::optional<LogRecord> finished_attempt(const TrainSpec& spec, const JobDirectory& files) {
  std::optional<LogRecord> finished = finished_job(spec);
  if (finished && fs::last_write_time(last_file(spec)) < fs::last_write_time(files.began())) finished.reset();
  return finished;
}

JobJson result_of(const TrainSpec& spec, const JobJson& metrics) {
  const fs::path output = fs::absolute(spec.training.output_dir);
  JobJson tokens;
  if (spec.training.do_train && spec.training.include_num_input_tokens_seen)
    tokens = TrainerState::load(output / "trainer_state.json").num_input_tokens_seen;
  return {{"output_dir", output.string()}, {"model", spec.model_name_or_path},
          {"stage", name_of(spec.stage)},  {"finetuning_type", name_of(spec.finetuning_type)},
          {"trained_tokens", tokens},      {"metrics", metrics}};
}

}  // namespace

WorkerOutcome run_training(const WorkerContext& context, TrainSpec spec) {
  const JobDirectory& files = context.directory;
  // What one process sees in the directory is so for all of them.
  std::optional<LogRecord> finished;
  if (context.processes.any(context.events && fs::exists(files.began()))) {
    go_on(spec);
    if (context.events) finished = finished_attempt(spec, files);
    if (context.processes.any(finished.has_value())) {
      if (finished) context.events->finished(result_of(spec, *finished));
      return WorkerOutcome::kFinished;
    }
  }
  if (!context.events) {
    SilentMonitor silent(context.stop);
    return run_whole_job(spec, silent, context.processes).stopped ? WorkerOutcome::kStopped : WorkerOutcome::kFinished;
  }
  Monitor monitor(context);
  const JobResult result = run_whole_job(spec, monitor, context.processes);
  if (result.stopped) {
    context.events->stopped();
    return WorkerOutcome::kStopped;
  }
  context.events->finished(result_of(spec, result.metrics));
  return WorkerOutcome::kFinished;
}

}  // namespace hearth
