#include <memory>

#include <unistd.h>

#include "finetune/parallel/communicator.h"
#include "finetune/predict/whole_job.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/trainer/output_dir.h"
#include "finetune/trainer/silent_monitor.h"
#include "finetune/trainer/train.h"
#include "runtime/base/error.h"
#include "server/commands/commands.h"
#include "server/commands/train_monitor.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

int run_train(const TrainSpec& spec) {
  const std::unique_ptr<Communicator> processes = make_communicator();
  if (!processes->writes()) {
    SilentMonitor silent(stop_flag());
    return run_whole_job(spec, silent, *processes).stopped ? 130 : 0;
  }
  TerminalMonitor monitor(stdout, ::isatty(STDOUT_FILENO) == 1, stop_flag());
  if (processes->size() > 1) monitor.on_note(fmt::format("{} processes train together", processes->size()));
  const JobResult result = run_whole_job(spec, monitor, *processes);
  const std::string output_dir = spec.training.output_dir.string();
  if (result.stopped)
    throw cancelled("stopped; what is done is saved in {}, and the same command goes on from it", output_dir);
  monitor.on_note(describe_record(result.metrics));
  if (spec.training.do_predict)
    monitor.on_note(fmt::format("predictions and their scores are in {0}: {1}, {2}", output_dir, kPredictionsFile,
                                kPredictionScores));
  if (!spec.training.do_train) return 0;
  monitor.on_note(spec.finetuning_type == FinetuningType::kLora
                      ? fmt::format("the adapter is in {0}; chat with it: hearth chat --model {1} --adapter {0}",
                                    output_dir, spec.model_name_or_path)
                      : fmt::format("the model is in {0}; chat with it: hearth chat --model {0}", output_dir));
  return 0;
}

}  // namespace

Prepare add_train(CLI::App& app) {
  struct Arguments {
    std::string spec;
    std::vector<std::string> overrides;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("SPEC", arguments->spec, "LLaMA-Factory's training YAML")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "In place of what the file says");
  app.footer(
      "Examples:\n"
      "  hearth train examples/train_lora/smollm2_lora_sft.yaml\n"
      "  hearth train job.yaml learning_rate=1e-4 num_train_epochs=1 output_dir=saves/try\n"
      "  mpirun -n 2 hearth train job.yaml      (several processes or machines, which share each step's batches)\n\n"
      "A run that was interrupted goes on from its last checkpoint when the same command is given again. Ctrl-C saves\n"
      "one first. The adapter in output_dir is peft's; serve it with `hearth serve --adapter NAME=output_dir`.");
  return [arguments]() -> Run {
    return [spec = load_train_spec(arguments->spec, arguments->overrides)] { return run_train(spec); };
  };
}

}  // namespace hearth
