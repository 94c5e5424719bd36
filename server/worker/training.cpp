#include "server/worker/training.h"

#include <filesystem>
#include <memory>
#include <optional>

#include "finetune/parallel/communicator.h"
#include "finetune/reports/trainer_state.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/trainer/checkpoint.h"
#include "finetune/trainer/output_dir.h"
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
      : WorkerMonitor(context.events, context.directory.began(), context.stop), saves_(context.saves) {}
  void on_steps(int64_t done, int64_t total) override {
    WorkerMonitor::on_steps(done, total);
    saves_ = true;
  }

 private:
  std::atomic<bool>& saves_;
};

// What is in output_dir is of an earlier attempt of this job: it goes on from there, whatever the spec says of what the
// first attempt was to find.
void go_on(TrainSpec& spec) {
  spec.training.overwrite_output_dir = true;
  if (!find_checkpoints(spec.training.output_dir).empty()) spec.training.resume_from_checkpoint.reset();
}

JobJson result_of(const TrainSpec& spec, const JobJson& metrics) {
  const fs::path output = fs::absolute(spec.training.output_dir);
  JobJson tokens;
  if (spec.training.include_num_input_tokens_seen)
    tokens = TrainerState::load(output / "trainer_state.json").num_input_tokens_seen;
  return {{"output_dir", output.string()}, {"model", spec.model_name_or_path},
          {"stage", name_of(spec.stage)},  {"finetuning_type", name_of(spec.finetuning_type)},
          {"trained_tokens", tokens},      {"metrics", metrics}};
}

}  // namespace

WorkerOutcome run_training(const WorkerContext& context) {
  const JobDirectory& files = context.directory;
  TrainSpec spec = load_train_spec(files.spec());
  const std::unique_ptr<Communicator> processes = make_communicator();
  if (!processes->writes()) {
    SilentMonitor silent(context.stop);
    return run_job(spec, silent, *processes).stopped ? WorkerOutcome::kStopped : WorkerOutcome::kFinished;
  }
  if (fs::exists(files.began())) {
    go_on(spec);
    const fs::path results = spec.training.output_dir / "train_results.json";
    const std::optional<LogRecord> finished = finished_run(spec);
    if (finished && fs::last_write_time(results) >= fs::last_write_time(files.began())) {
      context.events.finished(result_of(spec, *finished));
      return WorkerOutcome::kFinished;
    }
  }
  Monitor monitor(context);
  const JobResult result = run_job(spec, monitor, *processes);
  if (result.stopped) {
    context.events.stopped();
    return WorkerOutcome::kStopped;
  }
  context.events.finished(result_of(spec, result.metrics));
  return WorkerOutcome::kFinished;
}

}  // namespace hearth
