// The loss on examples that are not trained on, as LLaMA-Factory's evaluation takes it: the mean over the tokens of
// each batch, then over the batches by their numbers of examples; in stage sft over the batches alike, since its
// trainer is transformers' Seq2SeqTrainer, which counts a last batch that is not full as a full one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "finetune/objectives/objective.h"
#include "finetune/parallel/communicator.h"
#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"
#include "runtime/adapter.h"
#include "runtime/language_model.h"

namespace hearth {

struct EvalSet {
  std::string name;  // empty: the only one
  std::vector<TokenizedExample> examples;
};

struct Evaluation {
  double loss = 0;            // as above
  double token_accuracy = 0;  // compute_accuracy: the mean over examples of how often the likeliest token is the label
  int64_t targets = 0;
  std::vector<std::optional<double>> metrics = {};  // of the objective: means over examples
};

struct EvaluationOptions {
  int batch_size = 8;
  bool accuracy = false;
  std::function<void(int64_t done)> progress = {};  // examples
};

// Of every process's metrics the sums, for all of them.
void sum_over_processes(std::span<MetricSum> metrics, Communicator& processes);

// Batches are shared among the processes, which all get the sums.
struct EvaluatedModel {
  Stage stage;
  Objective& objective;
  PictureFeatures& pictures;  // that the model sees
  const LanguageModel& model;
  const Adapter* adapter;
  const TrainingSpec& training;
  Communicator& processes;
};
Evaluation evaluate(const EvaluatedModel& evaluated, const std::vector<TokenizedExample>& examples,
                    const EvaluationOptions& options);
// Metrics of every set by transformers' names: eval_loss, eval_runtime ...; of a set with a name eval_NAME_loss.
// progress(examples done, of all).
// "eval_loss", ... : what evaluate_sets will give.
std::vector<std::string> metric_names(const Objective& objective, const TrainingSpec& training,
                                      const std::vector<EvalSet>& sets);
LogRecord evaluate_sets(const EvaluatedModel& evaluated, const std::vector<EvalSet>& sets,
                        const std::function<void(int64_t, int64_t)>& progress);
// eval_perplexity = exp(eval_loss) of every set, as LLaMA-Factory reports it of stage pt. Of a loss beyond about 709 it
// is infinite, which is null in JSON files (Infinity in LLaMA-Factory's, which is no JSON).
void add_perplexities(const std::vector<EvalSet>& sets, LogRecord& metrics);

}  // namespace hearth
