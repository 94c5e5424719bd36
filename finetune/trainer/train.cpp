#include "finetune/trainer/train.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <unordered_map>

#include <fmt/ranges.h>

#include "finetune/datasets/load_examples.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/print_encoded.h"
#include "finetune/encoding/tokenized_data.h"
#include "finetune/reports/loss_plot.h"
#include "finetune/reports/report.h"
#include "finetune/reports/results.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/spec/train_spec_text.h"
#include "finetune/trainer/memory_plan.h"
#include "finetune/trainer/output_dir.h"
#include "finetune/trainer/streamed_set.h"
#include "finetune/trainer/trainable.h"
#include "models/loader.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFeatureShare = 8;  // of the memory, for what is seen in pictures

std::vector<TokenizedExample> encode(const LoadedModel& loaded, const std::vector<Example>& examples,
                                     const TrainSpec& spec, const std::string& name, JobMonitor& monitor) {
  EncodedData data = encode_examples(loaded, examples, spec.data, spec.stage);
  monitor.warn_of_dropped(data.dropped, fmt::format("examples of {}", name));
  const EncodedTotals t = totals(data.examples);
  monitor.on_note(fmt::format(
      "{}: {} examples by {}, {} tokens ({} learnt), lengths {} to {}, median {}{}", name, t.examples, data.source,
      t.tokens, t.learnt, t.shortest, t.longest, t.median,
      data.truncated > 0 ? fmt::format("; {} cut to cutoff_len {}", data.truncated, spec.data.cutoff_len) : ""));
  return std::move(data.examples);
}

std::string set_name(const std::string& dataset) { return dataset.empty() ? "validation" : dataset; }

// What the job trains on and is evaluated with, tokenised.
struct JobData {
  std::vector<TokenizedExample> train;
  std::unique_ptr<ExampleStream> stream;  // in place of `train`
  std::vector<EvalSet> eval;
};

// Whether the stage can learn from it.
bool fits(const TokenizedExample& example, Stage stage) {
  if (!compares_answers(stage)) return true;
  const std::vector<int>& lengths = example.packed_lengths;
  return lengths.size() == 2 && lengths[0] > 0 && lengths[1] > 0 &&
         example.desirable.has_value() == (stage == Stage::kKto);
}

JobData from_tokenized(TokenizedSets&& sets, const TrainSpec& spec) {
  JobData data;
  for (auto& [name, examples] : sets) {
    for (const TokenizedExample& example : examples)
      if (!fits(example, spec.stage))
        throw data_corruption("tokenized_path: {}: an example of '{}' is not what stage {} learns from",
                              spec.data.tokenized_path.string(), name, name_of(spec.stage));
    if (name == "train") {
      data.train = std::move(examples);
    } else {
      data.eval.push_back({name == "validation" ? "" : name, std::move(examples)});
    }
  }
  return data;
}

JobData tokenize(const LoadedModel& loaded, ExampleSets sets, const TrainSpec& spec, JobMonitor& monitor) {
  monitor.warn_of_dropped(sets.dropped);
  JobData data;
  data.stream = std::move(sets.stream);
  if (spec.training.do_train && !data.stream) data.train = encode(loaded, sets.train, spec, "train", monitor);
  for (const NamedExamples& set : sets.eval)
    data.eval.push_back({set.name, encode(loaded, set.examples, spec, set_name(set.name), monitor)});
  return data;
}

// Before the model is loaded, where rows must be read at all.
std::optional<ExampleSets> read_rows(const TrainSpec& spec, Communicator& processes) {
  const fs::path& saved = spec.data.tokenized_path;
  // Rank 0, which will write them, says whether they are there.
  if (!saved.empty() && processes.any(processes.writes() && has_tokenized(saved))) return std::nullopt;
  return load_examples(spec.data, {.stage = spec.stage, .seed = spec.training.seed});
}

void save_sets(const LoadedModel& loaded, const JobData& data, const TrainSpec& spec) {
  TokenizedSets sets;
  sets["train"] = data.train;
  for (const EvalSet& set : data.eval) sets[set_name(set.name)] = set.examples;
  save_tokenized(spec.data.tokenized_path, sets, made_with(loaded, spec));
}

JobData prepare_data(const LoadedModel& loaded, std::optional<ExampleSets> rows, const TrainSpec& spec,
                     JobMonitor& monitor, bool writes) {
  const fs::path& saved = spec.data.tokenized_path;
  JobData data;
  if (rows) {
    data = tokenize(loaded, std::move(*rows), spec, monitor);
    if (!saved.empty() && !data.stream && writes) {
      save_sets(loaded, data, spec);
      monitor.on_note(fmt::format("tokenised data is saved in {}", saved.string()));
    }
  } else {
    auto sets = load_tokenized(saved, made_with(loaded, spec), loaded.model->dims().vocab_size);
    if (!sets) throw not_found("tokenized_path: {} is empty now", saved.string());
    monitor.on_note(fmt::format("tokenised data of {}", saved.string()));
    data = from_tokenized(std::move(*sets), spec);
  }
  if (spec.training.do_train && data.train.empty() && !data.stream)
    throw invalid_argument(
        "no example is left to train on; `hearth preprocess` and `hearth data check` show what was left out and why");
  for (const EvalSet& set : data.eval)
    if (set.examples.empty()) throw invalid_argument("no example is left to evaluate with in '{}'", set_name(set.name));
  return data;
}

// Bytes of what is kept of pictures' features: of all of them, where there is room.
int64_t room_for_features(const LoadedModel& loaded, const JobData& data, int64_t available) {
  const int64_t most = available / kFeatureShare;
  if (data.stream) return most;
  std::unordered_map<const FilePicture*, int64_t> rows;
  const auto count = [&](const std::vector<TokenizedExample>& examples) {
    for (const TokenizedExample& example : examples)
      for (const ExamplePicture& one : example.pictures)
        rows[one.picture.get()] = static_cast<int64_t>(one.picture->layout.feature_rows.size());
  };
  count(data.train);
  for (const EvalSet& set : data.eval) count(set.examples);
  int64_t all = 0;
  for (const auto& [picture, of_it] : rows) all += of_it;
  return std::min(most, all * loaded.model->dims().hidden_size * static_cast<int64_t>(sizeof(float)));
}

void show_first(const LoadedModel& loaded, const JobData& data, JobMonitor& monitor) {
  if (data.train.empty()) return;
  std::ostringstream text;
  print_example(text, *loaded.tokenizer, data.train.front(), kBrackets);
  monitor.on_note("training example:\n" + text.str());
}

std::vector<std::string> logged(const TrainerState& state, const std::vector<std::string>& keys) {
  std::vector<std::string> found;
  for (const std::string& key : keys)
    if (std::any_of(state.log_history.begin(), state.log_history.end(), [&](const auto& r) { return r.contains(key); }))
      found.push_back(key);
  return found;
}

void save_final(const TrainSpec& spec, const Trainable& trainable, Trainer& trainer, const Trainer::Result& result) {
  const fs::path& out = spec.training.output_dir;
  trainable.save(out);
  write_file_atomic(out / "training_args.yaml", to_yaml(spec));
  trainer.state().save(out / "trainer_state.json");
  if (spec.training.plot_loss) {
    std::vector<std::string> keys = {"loss", "eval_loss", "eval_accuracy", "rewards/accuracies"};
    if (spec.stage == Stage::kKto) keys.push_back("rewards/chosen");  // as the reference
    plot_history(trainer.state(), logged(trainer.state(), keys), out);
  }
  save_results(out, "train", result.metrics);
}

std::unique_ptr<TrainingSet> make_set(const TrainSpec& spec, const LoadedModel& loaded, JobData& data) {
  if (data.stream) return std::make_unique<StreamedSet>(spec, loaded, std::move(data.stream));
  return std::make_unique<InMemorySet>(spec.training, std::move(data.train));
}

JobResult evaluate_only(const TrainSpec& spec, const LoadedModel& loaded, Trainable& trainable,
                        PictureFeatures& pictures, Objective& objective, const JobData& data, JobMonitor& monitor,
                        Communicator& processes) {
  JobResult result;
  result.metrics = evaluate_sets({.stage = spec.stage,
                                  .objective = objective,
                                  .pictures = pictures,
                                  .model = *loaded.model,
                                  .adapter = trainable.adapter(),
                                  .training = spec.training,
                                  .processes = processes},
                                 data.eval, [&](int64_t done, int64_t total) { monitor.on_evaluating(done, total); });
  if (spec.stage == Stage::kPretraining) add_perplexities(data.eval, result.metrics);
  if (processes.writes()) save_results(spec.training.output_dir, "eval", result.metrics);
  return result;
}

// output_dir becomes this run's, for as long as `lock` is held, which rank 0 gets. -> the checkpoint to go on from
std::optional<fs::path> take_output_dir(const TrainSpec& spec, Communicator& processes,
                                        std::optional<OutputDirLock>& lock) {
  const fs::path& directory = spec.training.output_dir;
  if (processes.writes()) lock.emplace(directory);
  processes.wait_for_all();
  const OutputDir found = inspect_output_dir(spec);  // again, now that nobody else changes it
  processes.wait_for_all();
  if (processes.writes()) {
    if (found.replaces) remove_run(directory);
    remove_leftovers(directory);
  }
  return found.checkpoint;
}

// The last evaluation, and what is left in output_dir; the results come last.
JobResult finish(const TrainingRun& run, Trainer& trainer, const Trainer::Result& trained) {
  JobResult result{.metrics = trained.metrics};
  const bool writes = run.processes.writes();
  if (run.spec.training.do_eval || !run.eval.empty()) {
    LogRecord metrics = trainer.evaluate();
    metrics["epoch"] = trainer.state().epoch;
    if (run.spec.stage == Stage::kPretraining) add_perplexities(run.eval, metrics);
    if (writes) save_results(run.spec.training.output_dir, "eval", metrics);
    for (const auto& [name, value] : metrics.items()) result.metrics[name] = value;
  }
  if (writes) save_final(run.spec, run.trainable, trainer, trained);
  return result;
}

}  // namespace

void JobMonitor::warn_of_dropped(const DroppedRows& rows) {
  if (rows.count > 0)
    on_warning(
        fmt::format("{} rows left out, the first: {}", rows.count, rows.first.empty() ? "" : rows.first.front()));
}

void JobMonitor::warn_of_dropped(const std::vector<DroppedExample>& examples, const std::string& what) {
  if (!examples.empty())
    on_warning(fmt::format("{} {} left out, the first: {}: {}", examples.size(), what, examples.front().place,
                           examples.front().reason));
}

JobResult run_job(const TrainSpec& given, JobMonitor& monitor, Communicator& processes) {
  // A step of N processes is one of N times the accumulation: so the checkpoint says, and so many processes, or one
  // with that accumulation, may go on from it.
  TrainSpec spec = given;
  spec.training.gradient_accumulation_steps *= processes.size();
  if (spec.stage == Stage::kDpo && spec.preference.bco_weight > 0 && processes.size() > 1)
    throw invalid_argument(
        "pref_bco_weight: its baseline goes from batch to batch, which {} processes compute side by side: remove the "
        "key, or train in one process",
        processes.size());
  for (const std::string& warning : spec.warnings) monitor.on_warning(warning);
  const TrainingSpec& t = spec.training;
  if (const std::string note = inspect_output_dir(spec).note; !note.empty()) monitor.on_note(note);
  const fs::path model_path = resolve_model(spec.model_name_or_path);
  std::optional<ExampleSets> rows = read_rows(spec, processes);
  const LoadedModel loaded = load_model(
      model_path, {.compute_dtype = t.bf16 ? ComputeDtype::kBFloat16 : ComputeDtype::kFloat32, .chat = spec.chat});
  monitor.on_note(loaded.description);
  JobData data = prepare_data(loaded, std::move(rows), spec, monitor, processes.writes());
  show_first(loaded, data, monitor);

  const std::unique_ptr<Trainable> trainable = make_trainable(spec, loaded);
  monitor.on_note(trainable->description());
  PictureFeatures pictures(loaded, spec.data.pixel_limits,
                           room_for_features(loaded, data, available_memory(processes.local_size())));
  const std::unique_ptr<Objective> objective = make_objective(spec, loaded, pictures, trainable->value_head());
  if (const std::string note = objective->description(); !note.empty()) monitor.on_note(note);
  if (!t.do_train) return evaluate_only(spec, loaded, *trainable, pictures, *objective, data, monitor, processes);
  const std::unique_ptr<TrainingSet> examples = make_set(spec, loaded, data);
  TrainingRun run{.spec = spec,
                  .model = *loaded.model,
                  .trainable = *trainable,
                  .pictures = pictures,
                  .objective = *objective,
                  .examples = *examples,
                  .eval = data.eval,
                  .processes = processes,
                  .weighs_batches_alike = loaded.pictures != nullptr};
  const MemoryPlan plan = plan_memory(spec, *loaded.model, *trainable, examples->most_rows_of_batch(*objective),
                                      available_memory(processes.local_size()), pictures, examples->most_pictured());
  monitor.on_note(plan.describe());
  run.recomputed_layers = plan.recomputed_layers;
  keep_tensor_buffers(static_cast<size_t>(plan.step + plan.pictures - pictures.most_bytes()));

  Reports reports = processes.writes() ? Reports(spec) : Reports(nullptr, {});
  Trainer trainer(run, reports, monitor);

  // Nothing can be refused any more for what the job says: from here on output_dir changes.
  std::optional<OutputDirLock> lock;
  if (const auto checkpoint = take_output_dir(spec, processes, lock)) trainer.resume(*checkpoint);
  monitor.on_steps(trainer.state().global_step, trainer.total_steps());
  Trainer::Result trained;
  try {
    trained = trainer.train();
  } catch (...) {
    reports.on_end(trainer.state(), Outcome::kFailed);
    throw;
  }
  monitor.warn_of_dropped(examples->left_out());
  const JobResult result =
      trained.stopped ? JobResult{.metrics = trained.metrics, .stopped = true} : finish(run, trainer, trained);
  reports.on_end(trainer.state(), trained.stopped ? Outcome::kStopped : Outcome::kFinished);
  return result;
}

}  // namespace hearth
