#include "finetune/trainer/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "finetune/objectives/collator.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

// Of each example, the share of its targets that are the likeliest token; summed.
double accuracy_of(const LanguageModel& model, const Tensor& hidden, const TrainingBatch& batch,
                   const std::vector<int>& lengths) {
  std::vector<int> rows;
  for (int r = 0; r < batch.batch.tokens(); ++r)
    if (batch.targets[r] >= 0) rows.push_back(r);
  std::vector<bool> hit(batch.targets.size());
  const int64_t chunk = ops::logits_rows(model.dims().vocab_size);
  for (size_t begin = 0; begin < rows.size(); begin += chunk) {
    const std::span part = std::span(rows).subspan(begin, std::min<size_t>(chunk, rows.size() - begin));
    const Tensor logits = ops::logits(ops::gather_rows(hidden, part), model.output_head());
    for (size_t i = 0; i < part.size(); ++i)
      hit[part[i]] = kernels::argmax(logits.row(static_cast<int64_t>(i)), logits.dim(-1)) == batch.targets[part[i]];
  }
  double sum = 0;
  int row = 0;
  for (const int length : lengths) {
    int hits = 0, targets = 0;
    for (const int end = row + length; row < end; ++row) {
      hits += hit[row];
      targets += batch.targets[row] >= 0;
    }
    if (targets > 0) sum += static_cast<double>(hits) / targets;
  }
  return sum;
}

}  // namespace

void sum_over_processes(std::span<MetricSum> metrics, Communicator& processes) {
  std::vector<double> sums;
  for (const MetricSum& metric : metrics) sums.insert(sums.end(), {metric.sum, metric.weight});
  if (!sums.empty()) processes.sum(std::span(sums));
  for (size_t m = 0; m < metrics.size(); ++m) metrics[m] = {sums[2 * m], sums[2 * m + 1]};
}

Evaluation evaluate(const EvaluatedModel& evaluated, const std::vector<TokenizedExample>& examples,
                    const EvaluationOptions& options) {
  Communicator& processes = evaluated.processes;
  const size_t num_metrics = evaluated.objective.metric_names().size();
  std::vector<MetricSum> metrics(num_metrics);
  const Tape::Paused no_gradients;
  double loss = 0, weights = 0, accuracy = 0, targets = 0;
  const size_t stride = static_cast<size_t>(options.batch_size) * processes.size();
  for (size_t begin = static_cast<size_t>(options.batch_size) * processes.rank(); begin < examples.size();
       begin += stride) {
    const size_t end = std::min(begin + options.batch_size, examples.size());
    std::vector<const TokenizedExample*> part;
    std::vector<int> lengths;
    for (size_t i = begin; i < end; ++i) {
      part.push_back(&examples[i]);
      lengths.push_back(static_cast<int>(examples[i].input_ids.size()));
    }
    TrainingBatch batch = evaluated.objective.collate(part, evaluated.adapter);
    const auto count = static_cast<double>(part.size());
    const double weight = evaluated.stage == Stage::kSft ? options.batch_size : count;
    weights += weight;
    if (batch.num_targets > 0) {
      evaluated.pictures.see(batch);
      const BatchLoss found =
          evaluated.objective.loss(batch, {.targets = batch.num_targets, .batches = 1, .weight = count}, metrics);
      loss += found.value * weight;
      targets += static_cast<double>(batch.num_targets);
      if (options.accuracy) accuracy += accuracy_of(evaluated.model, found.hidden, batch, lengths);
    }
    if (options.progress) options.progress(static_cast<int64_t>(end));
  }
  for (double* sum : {&loss, &weights, &accuracy, &targets}) processes.sum(std::span(sum, 1));
  sum_over_processes(metrics, processes);
  const double n = std::max(static_cast<double>(examples.size()), 1.0);
  Evaluation out{
      .loss = loss / std::max(weights, 1.0), .token_accuracy = accuracy / n, .targets = static_cast<int64_t>(targets)};
  out.metrics = means_of(evaluated.objective, metrics);
  return out;
}

namespace {

std::string prefix_of(const EvalSet& set) { return set.name.empty() ? "eval_" : "eval_" + set.name + "_"; }

}  // namespace

std::vector<std::string> metric_names(const Objective& objective, const TrainingSpec& training,
                                      const std::vector<EvalSet>& sets) {
  std::vector<std::string> names;
  for (const EvalSet& set : sets) {
    for (const char* name : {"loss", "runtime", "samples_per_second", "steps_per_second"})
      names.push_back(prefix_of(set) + name);
    if (training.compute_accuracy) names.push_back(prefix_of(set) + "accuracy");
    for (const std::string& name : objective.metric_names()) names.push_back(prefix_of(set) + name);
  }
  return names;
}

LogRecord evaluate_sets(const EvaluatedModel& evaluated, const std::vector<EvalSet>& sets,
                        const std::function<void(int64_t, int64_t)>& progress) {
  using Clock = std::chrono::steady_clock;
  const TrainingSpec& training = evaluated.training;
  LogRecord metrics;
  int64_t total = 0, done = 0;
  for (const EvalSet& set : sets) total += static_cast<int64_t>(set.examples.size());
  for (const EvalSet& set : sets) {
    const auto start = Clock::now();
    const int batch_size = training.per_device_eval_batch_size;
    const auto report = [&](int64_t n) { progress(done + n, total); };
    const EvaluationOptions options{
        .batch_size = batch_size, .accuracy = training.compute_accuracy, .progress = report};
    const Evaluation found = evaluate(evaluated, set.examples, options);
    const double seconds = std::max(std::chrono::duration<double>(Clock::now() - start).count(), 1e-9);
    const auto n = static_cast<double>(set.examples.size());
    const std::string prefix = prefix_of(set);
    metrics[prefix + "loss"] = found.loss;
    if (training.compute_accuracy) metrics[prefix + "accuracy"] = found.token_accuracy;
    const std::vector<std::string> names = evaluated.objective.metric_names();
    for (size_t m = 0; m < names.size(); ++m)
      if (found.metrics[m]) metrics[prefix + names[m]] = *found.metrics[m];
    metrics[prefix + "runtime"] = seconds;
    metrics[prefix + "samples_per_second"] = n / seconds;
    metrics[prefix + "steps_per_second"] = std::ceil(n / batch_size) / seconds;
    done += static_cast<int64_t>(set.examples.size());
  }
  return metrics;
}

void add_perplexities(const std::vector<EvalSet>& sets, LogRecord& metrics) {
  for (const EvalSet& set : sets)
    if (const auto loss = metrics.find(prefix_of(set) + "loss"); loss != metrics.end() && loss->is_number())
      metrics[prefix_of(set) + "perplexity"] = std::exp(loss->get<double>());
}

}  // namespace hearth
