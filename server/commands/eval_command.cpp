// `hearth eval`: predicts and scores as a YAML says, or scores a file of predictions. The scores are one JSON object on
// stdout; what happens meanwhile is on stderr.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "finetune/predict/predict.h"
#include "finetune/predict/score_predictions.h"
#include "finetune/spec/load_train_spec.h"
#include "runtime/base/error.h"
#include "server/commands/commands.h"
#include "server/commands/train_monitor.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

int print_scores(const nlohmann::ordered_json& scores) {
  fmt::print("{}\n", scores.dump());
  return 0;
}

int run_predict(const TrainSpec& spec) {
  TerminalMonitor monitor(stderr, ::isatty(STDERR_FILENO) == 1, stop_flag());
  for (const std::string& warning : spec.warnings) monitor.on_warning(warning);
  const PredictResult result = predict(spec, monitor);
  if (result.stopped)
    throw cancelled("stopped; the answers so far are in {}, and the same command goes on behind them",
                    spec.training.output_dir.string());
  return print_scores(result.scores);
}

bool is_yaml(const std::filesystem::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

}  // namespace

Prepare add_eval(CLI::App& app) {
  struct Arguments {
    std::string file;
    std::vector<std::string> overrides;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("FILE", arguments->file, "LLaMA-Factory's YAML, or predictions as .jsonl or .json")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "In place of what the YAML says");
  app.footer(
      "Examples:\n"
      "  hearth eval examples/train_lora/smollm2_lora_sft.yaml max_samples=50\n"
      "  hearth eval job.yaml adapter_name_or_path=saves/mine eval_dataset=my_test output_dir=saves/mine/eval\n"
      "  hearth eval saves/mine/eval/generated_predictions.jsonl\n\n"
      "Of a YAML with do_train what its run left in output_dir is evaluated, else the model that it names, on\n"
      "eval_dataset or the rows that val_size holds out. Answers are greedy unless do_sample or temperature ask for\n"
      "sampling. A run that was interrupted goes on when the same command is given again. A row of predictions is\n"
      "{\"predict\": \"...\", \"label\": \"...\"}. Scores are percents; BLEU-4 and ROUGE are LLaMA-Factory's.");
  return [arguments]() -> Run {
    if (!is_yaml(arguments->file)) {
      if (!arguments->overrides.empty())
        throw invalid_argument("eval: '{}' is for a YAML; {} is scored as it is", arguments->overrides.front(),
                               arguments->file);
      return [arguments] { return print_scores(score_predictions(arguments->file).results()); };
    }
    std::vector<std::string> overrides = {"do_predict=true", "predict_with_generate=true"};
    overrides.insert(overrides.end(), arguments->overrides.begin(), arguments->overrides.end());
    return [spec = load_train_spec(arguments->file, overrides)] { return run_predict(spec); };
  };
}

}  // namespace hearth
