#include "finetune/trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "finetune/objectives/collator.h"
#include "finetune/optim/clip.h"
#include "finetune/trainer/memory_plan.h"
#include "finetune/trainer/noise.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::optional<LoraPlus> lora_plus(const LoraSpec& lora) {
  if (!lora.loraplus_lr_ratio) return std::nullopt;
  return LoraPlus{*lora.loraplus_lr_ratio, lora.loraplus_lr_embedding};
}

AdamW make_optimizer(const TrainingRun& run) {
  const TrainingSpec& t = run.spec.training;
  return AdamW(parameter_groups(run.trainable.parameters(), t.learning_rate, t.weight_decay, lora_plus(run.spec.lora)),
               {.beta1 = t.adam_beta1, .beta2 = t.adam_beta2, .epsilon = t.adam_epsilon});
}

int64_t targets_of(const ExampleBatch& batch) {
  int64_t targets = 0;
  for (const TokenizedExample* example : batch) targets += count_targets(*example);
  return targets;
}

bool happens(Interval strategy, double every, const TrainingSet& examples, int64_t step) {
  switch (strategy) {
    case Interval::kNo:
      return false;
    case Interval::kEpoch:
      return examples.ends_epoch(step) || step == examples.steps();
    case Interval::kSteps:
      return step % interval_steps(every, examples.steps()) == 0;
  }
  return false;
}

// The key that runs are judged by. Throws kInvalidArgument where one is to be judged by what there is not.
std::string best_metric(const TrainingRun& run) {
  const TrainingSpec& training = run.spec.training;
  const std::string& wanted = training.metric_for_best_model;
  const std::string key = wanted.starts_with("eval_") ? wanted : "eval_" + wanted;
  const std::vector<std::string> names = metric_names(run.objective, training, run.eval);
  const bool judges = training.load_best_model_at_end || training.early_stopping_steps.has_value();
  if (judges && std::find(names.begin(), names.end(), key) == names.end())
    throw invalid_argument("metric_for_best_model: '{}' is not among this job's metrics ({})", wanted,
                           fmt::join(names, ", "));
  return key;
}

}  // namespace

Trainer::Trainer(const TrainingRun& run, Reports& reports, TrainingMonitor& monitor)
    : run_(run),
      training_(run.spec.training),
      reports_(reports),
      monitor_(monitor),
      schedule_(make_schedule(training_, run.examples.steps())),
      optimizer_(make_optimizer(run)),
      best_metric_(best_metric(run)) {
  for (Parameter* parameter : run_.trainable.parameters())
    run_.processes.broadcast(std::span(parameter->value.data(), parameter->value.size()));
  state_.max_steps = run_.examples.steps();
  state_.num_train_epochs = run_.examples.num_epochs();
  state_.logging_steps = training_.logging_steps;
  state_.eval_steps = training_.eval_steps.value_or(training_.logging_steps);
  state_.save_steps = training_.save_steps;
  state_.train_batch_size = training_.per_device_train_batch_size;
}

void Trainer::resume(const std::filesystem::path& checkpoint) {
  const int64_t steps = state_.max_steps, epochs = state_.num_train_epochs;
  load_checkpoint(checkpoint, run_.spec, run_.trainable, optimizer_, state_, totals_);
  run_.objective.restore(totals_.objective_state);
  state_.max_steps = steps;
  state_.num_train_epochs = epochs;
  last_saved_ = last_evaluated_ = state_.global_step;
}

// One batch forwards and backwards: its share of the step's loss.
double Trainer::backward(const ExampleBatch& examples, int64_t step, int64_t batch, const LossShare& share,
                         std::span<MetricSum> metrics) {
  TrainingBatch collated = run_.objective.collate(examples, run_.trainable.adapter());
  if (collated.num_targets == 0) return 0;
  const uint64_t seed = noise_seed(training_.seed, step, batch);
  collated.batch.dropout_seed = seed;
  collated.batch.recomputed_layers = run_.recomputed_layers;
  if (training_.neftune_noise_alpha)
    collated.batch.embedding_noise =
        neftune_noise(collated.batch, run_.model.dims().hidden_size, *training_.neftune_noise_alpha, seed);
  Tape tape(kept_precision(training_));
  const Tape::Recording on(tape);
  run_.pictures.see(collated);
  const BatchLoss loss = run_.objective.loss(collated, share, metrics);
  if (std::isfinite(loss.value)) tape.backward(loss.differentiable);
  return loss.value;
}

void Trainer::add_up(StepResult& result) {
  if (run_.processes.size() == 1) return;
  run_.processes.sum(std::span(&result.loss, 1));
  sum_over_processes(result.metrics, run_.processes);
  for (Parameter* parameter : run_.trainable.parameters())
    run_.processes.sum(std::span(parameter->grad.data(), parameter->grad.size()));
}

Trainer::StepResult Trainer::step(int64_t index) {
  StepResult result;
  const std::vector<ExampleBatch> batches = run_.examples.batches(index);
  int64_t targets = 0;
  for (const ExampleBatch& batch : batches) {
    targets += targets_of(batch);
    for (const TokenizedExample* example : batch) result.tokens += static_cast<int64_t>(example->input_ids.size());
    result.examples += static_cast<int64_t>(batch.size());
  }
  const std::string remedy =
      "lower learning_rate, or look for the example with `hearth preprocess`; checkpoints before it are kept";
  result.metrics.resize(run_.objective.metric_names().size());
  const LossShare share{.targets = std::max<int64_t>(targets, 1), .batches = static_cast<int64_t>(batches.size())};
  const auto size = static_cast<size_t>(run_.processes.size()), rank = static_cast<size_t>(run_.processes.rank());
  for (size_t b = rank; b < batches.size() && std::isfinite(result.loss); b += size) {
    LossShare of_batch = share;
    if (run_.weighs_batches_alike) of_batch.targets = std::max<int64_t>(targets_of(batches[b]), 1) * share.batches;
    result.loss += backward(batches[b], index, static_cast<int64_t>(b), of_batch, result.metrics);
  }
  add_up(result);
  if (!std::isfinite(result.loss))
    throw failed_precondition("step {}: the loss is {}; {}", index + 1, result.loss, remedy);
  result.grad_norm = clip_grad_norm(run_.trainable.parameters(), training_.max_grad_norm);
  if (!std::isfinite(result.grad_norm))
    throw failed_precondition("step {}: the gradient's length is {}; {}", index + 1, result.grad_norm, remedy);
  const double factor = schedule_(index);
  result.learning_rate = training_.learning_rate * factor;
  optimizer_.step(factor);
  zero_gradients(run_.trainable.parameters());
  return result;
}

void Trainer::log(const StepResult& result) {
  LogRecord record;
  record["loss"] = totals_.window_loss / static_cast<double>(std::max<int64_t>(totals_.window_steps, 1));
  record["grad_norm"] = result.grad_norm;
  record["learning_rate"] = result.learning_rate;
  const std::vector<std::string> names = run_.objective.metric_names();
  const std::vector<std::optional<double>> means = means_of(run_.objective, totals_.window_metrics);
  for (size_t i = 0; i < names.size(); ++i)
    if (means[i]) record[names[i]] = *means[i];
  if (run_.spec.stage == Stage::kDpo) record["num_tokens"] = totals_.tokens;  // as TRL calls it
  if (training_.include_num_input_tokens_seen) record["num_input_tokens_seen"] = state_.num_input_tokens_seen;
  totals_.window_loss = 0;
  totals_.window_steps = 0;
  totals_.window_metrics.assign(names.size(), {});
  state_.log(std::move(record));
  reports_.on_log(state_);
  monitor_.on_log(state_.log_history.back());
}

LogRecord Trainer::evaluate() {
  const bool changes = training_.load_best_model_at_end && state_.best_global_step != state_.global_step;
  if (last_evaluated_ == state_.global_step && !last_metrics_.is_null() && !changes) return last_metrics_;
  return evaluate_sets({.stage = run_.spec.stage,
                        .objective = run_.objective,
                        .pictures = run_.pictures,
                        .model = run_.model,
                        .adapter = run_.trainable.adapter(),
                        .training = training_,
                        .processes = run_.processes},
                       run_.eval, [&](int64_t done, int64_t total) { monitor_.on_evaluating(done, total); });
}

void Trainer::evaluate_and_judge() {
  if (last_evaluated_ == state_.global_step || run_.eval.empty()) return;
  const LogRecord metrics = evaluate();
  last_evaluated_ = state_.global_step;
  last_metrics_ = metrics;
  state_.log(metrics);
  reports_.on_log(state_);
  monitor_.on_log(state_.log_history.back());

  const auto found = metrics.find(best_metric_);
  if (found == metrics.end()) {
    if (!training_.load_best_model_at_end && !training_.early_stopping_steps) return;
    throw failed_precondition(
        "metric_for_best_model: '{}' was not in this evaluation, whose answers may be all of one kind: hold out others "
        "with val_size or eval_dataset, or judge by eval_loss",
        best_metric_);
  }
  // Of rank 0: what is measured in time differs between processes, and all must judge alike.
  double value = run_.processes.writes() ? found->get<double>() : 0;
  run_.processes.sum(std::span(&value, 1));
  const bool greater = training_.greater_is_better.value_or(!best_metric_.ends_with("loss"));
  const bool better = !state_.best_metric || (greater ? value > *state_.best_metric : value < *state_.best_metric);
  totals_.evaluations_without_progress = better ? 0 : totals_.evaluations_without_progress + 1;
  if (!better) return;
  state_.best_metric = value;
  state_.best_global_step = state_.global_step;
}

bool Trainer::wants_progress() const {
  return training_.early_stopping_steps && totals_.evaluations_without_progress >= *training_.early_stopping_steps;
}

void Trainer::save(bool to_go_on) {
  const bool with_optimizer = to_go_on || !training_.save_only_model;
  if (last_saved_ == state_.global_step && with_optimizer == !training_.save_only_model) return;
  if (state_.best_global_step == state_.global_step)
    state_.best_model_checkpoint = checkpoint_directory(training_.output_dir, state_.global_step).string();
  last_saved_ = state_.global_step;
  if (!run_.processes.writes()) return run_.processes.wait_for_all();
  const std::filesystem::path directory = save_checkpoint({.spec = run_.spec,
                                                           .trainable = run_.trainable,
                                                           .optimizer = with_optimizer ? &optimizer_ : nullptr,
                                                           .state = state_,
                                                           .totals = totals_});
  if (training_.save_total_limit)
    prune_checkpoints(training_.output_dir, *training_.save_total_limit,
                      training_.load_best_model_at_end ? state_.best_model_checkpoint : std::nullopt);
  monitor_.on_checkpoint(directory);
  run_.processes.wait_for_all();
}

void Trainer::finish(Result& result, double seconds) {
  const double steps = static_cast<double>(std::max<int64_t>(state_.global_step, 1));
  const auto examples = static_cast<double>(totals_.examples);
  result.metrics["train_runtime"] = seconds;
  result.metrics["train_samples_per_second"] = examples / seconds;
  result.metrics["train_steps_per_second"] = steps / seconds;
  result.metrics["total_flos"] = state_.total_flos;
  result.metrics["train_loss"] = totals_.loss / steps;
  result.metrics["epoch"] = state_.epoch;
  if (training_.include_num_input_tokens_seen) result.metrics["num_input_tokens_seen"] = state_.num_input_tokens_seen;
  if (result.stopped) return;
  state_.log(result.metrics);
  reports_.on_log(state_);
  if (training_.load_best_model_at_end && state_.best_model_checkpoint)
    run_.trainable.load(*state_.best_model_checkpoint);
}

Trainer::Result Trainer::train() {
  Result result;
  result.early_stop = wants_progress();  // of a checkpoint at which the run had ended
  const auto start = Clock::now();
  const double before = totals_.seconds;
  reports_.on_begin(run_.spec, state_);
  if (training_.eval_on_start && state_.global_step == 0) evaluate_and_judge();
  // 6 operations for each parameter and token (transformers' floating_point_ops), of the whole model.
  int64_t parameters = 0;
  for (const auto& tensor : run_.model.tensors())
    if (tensor->is_matrix()) parameters += tensor->weight.out() * tensor->weight.in();
  while (state_.global_step < run_.examples.steps() && !result.early_stop) {
    const auto step_start = Clock::now();
    const StepResult done = step(state_.global_step);
    ++state_.global_step;
    const int64_t now = state_.global_step;
    state_.epoch = run_.examples.epoch_after(now);
    state_.total_flos += 6.0 * static_cast<double>(parameters) * static_cast<double>(done.tokens);
    if (training_.include_num_input_tokens_seen) state_.num_input_tokens_seen += done.tokens;
    totals_.loss += done.loss;
    totals_.examples += done.examples;
    totals_.tokens += done.tokens;
    totals_.window_loss += done.loss;
    ++totals_.window_steps;
    totals_.window_metrics.resize(done.metrics.size());
    for (size_t i = 0; i < done.metrics.size(); ++i) totals_.window_metrics[i] += done.metrics[i];
    totals_.objective_state = run_.objective.state();
    totals_.seconds = before + seconds_since(start);
    monitor_.on_step(state_, done.loss, static_cast<double>(done.tokens) / std::max(seconds_since(step_start), 1e-9));
    if (happens(training_.logging_strategy, state_.logging_steps, run_.examples, now) ||
        (now == 1 && training_.logging_first_step))
      log(done);
    if (happens(training_.eval_strategy, state_.eval_steps, run_.examples, now)) {
      evaluate_and_judge();
      result.early_stop = wants_progress();
    }
    const bool last = now == run_.examples.steps() || result.early_stop;
    if (happens(training_.save_strategy, state_.save_steps, run_.examples, now) ||
        (last && training_.save_strategy == Interval::kSteps))
      save();
    if (!last && run_.processes.any(monitor_.stop_requested())) {
      save(/*to_go_on=*/true);
      result.stopped = true;
      break;
    }
  }
  finish(result, std::max(before + seconds_since(start), 1e-9));
  return result;
}

}  // namespace hearth
