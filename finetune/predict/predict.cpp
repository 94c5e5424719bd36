#include "finetune/predict/predict.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "finetune/datasets/load_examples.h"
#include "finetune/encoding/encode_prompts.h"
#include "finetune/predict/generator.h"
#include "finetune/predict/predictions_file.h"
#include "finetune/predict/score_predictions.h"
#include "finetune/reports/results.h"
#include "finetune/trainer/output_dir.h"
#include "models/adapters/served_adapter.h"
#include "models/loader.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/file_identity.h"
#include "runtime/base/hash.h"
#include "runtime/base/own_thread.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::max(std::chrono::duration<double>(Clock::now() - begin).count(), 1e-9);
}

struct Source {
  fs::path model;
  std::vector<fs::path> adapters;  // in order
};

Source source_of(const TrainSpec& spec) {
  std::vector<std::string> adapters = spec.adapter_name_or_path;
  if (spec.training.do_train) {
    require_finished(spec.training.output_dir);
    if (spec.finetuning_type != FinetuningType::kLora) return {spec.training.output_dir, {}};
    adapters = trained_adapters(spec);
  }
  return {resolve_model(spec.model_name_or_path), {adapters.begin(), adapters.end()}};
}

std::vector<Example> read_examples(const TrainSpec& spec, JobMonitor& monitor) {
  ExampleSets sets =
      load_examples(spec.data, {.stage = spec.stage, .seed = spec.training.seed, .eval_generates = true});
  monitor.warn_of_dropped(sets.dropped);
  std::vector<Example> examples;
  for (NamedExamples& set : sets.eval)
    std::move(set.examples.begin(), set.examples.end(), std::back_inserter(examples));
  return examples;
}

std::vector<EncodedPrompt> encode(const LoadedModel& loaded, const std::vector<Example>& examples,
                                  const TrainSpec& spec, JobMonitor& monitor) {
  EncodedPrompts encoded = encode_prompts(loaded, examples, spec.data);
  monitor.warn_of_dropped(encoded.dropped, "examples");
  if (encoded.prompts.empty())
    throw invalid_argument("no example is left to predict; `hearth data check` shows what was left out and why");
  if (encoded.truncated > 0)
    monitor.on_warning(fmt::format("{} prompts are cut at their end to cutoff_len {}: raise it to keep them whole",
                                   encoded.truncated, spec.data.cutoff_len));
  monitor.on_note(fmt::format("{} prompts by {}", encoded.prompts.size(), encoded.source));
  return std::move(encoded.prompts);
}

// The model, and what it is asked.
struct Answering {
  LoadedModel loaded;
  std::shared_ptr<const Adapter> adapter;  // null: none, or worked into the model
  std::vector<EncodedPrompt> prompts;
};

Answering prepare(const Source& source, const TrainSpec& spec, JobMonitor& monitor) {
  const std::vector<Example> examples = read_examples(spec, monitor);
  const ComputeDtype dtype = spec.generation.infer_dtype;
  Answering out{load_model(source.model, {.compute_dtype = dtype, .chat = spec.chat}), nullptr, {}};
  out.adapter = apply_adapters(source.adapters, out.loaded.model->tensors(), dtype);
  monitor.on_note(out.loaded.description);
  out.prompts = encode(out.loaded, examples, spec, monitor);
  return out;
}

std::vector<Question> questions_of(const std::vector<EncodedPrompt>& prompts, const Tokenizer& tokenizer) {
  std::vector<Question> questions;
  questions.reserve(prompts.size());
  for (const EncodedPrompt& one : prompts)
    questions.push_back({tokenizer.decode(one.prompt.ids, /*skip_special=*/false), tokenizer.decode(one.response)});
  return questions;
}

// Results and logs, which may lie beside the weights, change while a job runs.
bool makes_the_model(const fs::path& file) {
  const std::string extension = file.extension().string(), name = file.filename().string();
  return extension == ".safetensors" || extension == ".bin" || extension == ".gguf" || name == "config.json" ||
         name == "adapter_config.json";
}

PredictionState state_of(const Source& source, const TrainSpec& spec, const std::vector<Question>& questions,
                         const Generator& generator) {
  Hash model, adapters, examples;
  add_identity(source.model, model, makes_the_model);
  for (const fs::path& adapter : source.adapters) add_identity(adapter, adapters.add("adapter"), makes_the_model);
  for (const Question& question : questions) examples.add(question.prompt).add(question.label);
  return {{"model", model.text()},
          {"adapter", adapters.text()},
          {"examples or template", examples.text()},
          {"generation", generator.description()},
          {"infer_dtype", spec.generation.infer_dtype == ComputeDtype::kFloat32 ? "float32" : "auto"}};
}

// False when stopped.
bool answer_all(const std::vector<EncodedPrompt>& prompts, const Generator& generator, PredictionsFile& file,
                JobMonitor& monitor) {
  const auto total = static_cast<int64_t>(prompts.size());
  const auto begin = Clock::now();
  int64_t tokens = 0;
  monitor.on_predicting(static_cast<int64_t>(file.count()), total, 0);
  return generator.run(
      prompts, file.count(),
      [&](const GeneratedAnswer& answer) {
        file.append(answer.text);
        tokens += answer.tokens;
        monitor.on_predicting(static_cast<int64_t>(file.count()), total,
                              static_cast<double>(tokens) / seconds_since(begin));
      },
      [&] { return monitor.stop_requested(); });
}

}  // namespace

bool has_predictions(const TrainSpec& spec) { return fs::exists(spec.training.output_dir / kPredictionResults); }

PredictResult predict(const TrainSpec& spec, JobMonitor& monitor) {
  const fs::path& directory = spec.training.output_dir;
  const auto begin = Clock::now();
  const Source source = source_of(spec);
  const Answering answering = on_own_thread([&] { return prepare(source, spec, monitor); });
  const std::vector<EncodedPrompt>& prompts = answering.prompts;
  const std::vector<Question> questions = questions_of(prompts, *answering.loaded.tokenizer);
  const Generator generator(answering.loaded, answering.adapter, spec);

  const OutputDirLock lock(directory);
  const bool was_finished = has_predictions(spec);
  if (was_finished) remove_predictions(directory);
  PredictionsFile file(directory, state_of(source, spec, questions, generator), questions,
                       spec.training.overwrite_output_dir);
  monitor.on_note(fmt::format("predicting {} answers, {}", prompts.size(), generator.description()));
  if (file.count() > 0)
    monitor.on_note(fmt::format("{} of them are there from an earlier run of this job", file.count()));

  const double preparation = seconds_since(begin);
  const auto generated = static_cast<double>(prompts.size() - file.count());
  const auto generation_begin = Clock::now();
  PredictResult result;
  result.stopped = !answer_all(prompts, generator, file, monitor);
  if (result.stopped) return result;
  const double seconds = seconds_since(generation_begin);
  result.scores = score_predictions_by_row(directory / kPredictionsFile).results();
  result.metrics = result.scores;
  result.metrics["predict_model_preparation_time"] = preparation;
  result.metrics["predict_runtime"] = seconds;
  result.metrics["predict_samples_per_second"] = generated / seconds;
  result.metrics["predict_steps_per_second"] =
      std::ceil(generated / spec.training.per_device_eval_batch_size) / seconds;
  save_results(directory, "predict", result.metrics);
  return result;
}

}  // namespace hearth
