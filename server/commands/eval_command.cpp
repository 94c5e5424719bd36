// `hearth eval`: predicts and scores as a YAML says, answers a multiple-choice task, or scores a file of predictions.
// The scores are one JSON object on stdout, of multiple choice LLaMA-Factory's table; what happens meanwhile is on
// stderr.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "finetune/multiple_choice/choice_scores.h"
#include "finetune/multiple_choice/evaluate_multiple_choice.h"
#include "finetune/predict/predict.h"
#include "finetune/predict/score_predictions.h"
#include "finetune/spec/job_spec.h"
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

int run_multiple_choice(const MultipleChoiceSpec& spec) {
  TerminalMonitor monitor(stderr, ::isatty(STDERR_FILENO) == 1, stop_flag());
  const std::optional<ChoiceScores> scores = evaluate_multiple_choice(spec, monitor);
  if (!scores) throw cancelled("stopped; nothing is kept of an unfinished evaluation");
  fmt::print("{}\n", scores->table());
  return 0;
}

bool is_yaml(const std::filesystem::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

Run prepare_evaluation(const JobSpec& job, const std::string& file) {
  if (const auto* spec = std::get_if<TrainSpec>(&job)) return [spec = *spec] { return run_predict(spec); };
  if (const auto* spec = std::get_if<MultipleChoiceSpec>(&job))
    return [spec = *spec] { return run_multiple_choice(spec); };
  throw invalid_argument("{}: is an export's: use hearth export, or give it an output_dir", file);
}

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
      "  hearth eval saves/mine/eval/generated_predictions.jsonl\n"
      "  hearth eval examples/eval/smollm2_multiple_choice.yaml n_shot=0\n\n"
      "Of a YAML with do_train what its run left in output_dir is evaluated, else the model that it names, on\n"
      "eval_dataset or the rows that val_size holds out. Answers are greedy unless do_sample or temperature ask for\n"
      "sampling. A run that was interrupted goes on when the same command is given again. A row of predictions is\n"
      "{\"predict\": \"...\", \"label\": \"...\"}. Scores are percents; BLEU-4 and ROUGE are LLaMA-Factory's.\n\n"
      "A YAML with `task: mmlu_test` (ceval_validation, cmmlu_test, or NAME_SPLIT of your own) asks the questions of\n"
      "task_dir/NAME (mapping.json, and NAME.zip or its files) and prints the percent of right letters by category;\n"
      "save_dir gets results.json, results.log and eval_results.json once all are answered.");
  return [arguments]() -> Run {
    if (!is_yaml(arguments->file)) {
      if (!arguments->overrides.empty())
        throw invalid_argument("eval: '{}' is for a YAML; {} is scored as it is", arguments->overrides.front(),
                               arguments->file);
      return [arguments] { return print_scores(score_predictions(arguments->file).results()); };
    }
    std::vector<std::string> overrides = {"do_predict=true", "predict_with_generate=true"};
    overrides.insert(overrides.end(), arguments->overrides.begin(), arguments->overrides.end());
    return prepare_evaluation(load_job_spec(arguments->file, overrides), arguments->file);
  };
}

}  // namespace hearth
