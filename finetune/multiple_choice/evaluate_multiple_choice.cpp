#include "finetune/multiple_choice/evaluate_multiple_choice.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/multiple_choice/choice_prompts.h"
#include "finetune/multiple_choice/questions.h"
#include "finetune/predict/batch_engine.h"
#include "models/adapters/served_adapter.h"
#include "models/loader.h"
#include "models/resolver.h"
#include "runtime/base/directory_lock.h"
#include "runtime/base/error.h"
#include "runtime/base/own_thread.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// The model, and what it is asked.
struct Asking {
  LoadedModel loaded;
  std::shared_ptr<const Adapter> adapter;  // null: none, or worked into the model
  std::array<TokenId, kLetters.size()> letters{};
  ChoicePrompts prompts;
};

Asking prepare(const MultipleChoiceSpec& spec, const std::vector<ChoiceSubject>& subjects, JobMonitor& monitor) {
  const std::vector<fs::path> adapters(spec.adapter_name_or_path.begin(), spec.adapter_name_or_path.end());
  Asking out{.loaded = load_model(resolve_model(spec.model_name_or_path),
                                  {.compute_dtype = spec.infer_dtype, .chat = spec.chat}),
             .adapter = nullptr,
             .letters = {},
             .prompts = {}};
  out.adapter = apply_adapters(adapters, out.loaded.model->tensors(), spec.infer_dtype);
  monitor.on_note(out.loaded.description);
  out.letters = letter_tokens(*out.loaded.tokenizer);
  out.prompts = make_prompts(out.loaded, subjects, spec.lang);
  monitor.on_note(fmt::format("{}: {} questions of {} subjects, {} shots, by {}", spec.task, out.prompts.prompts.size(),
                              subjects.size(), spec.n_shot, out.prompts.source));
  if (out.prompts.shortened > 0)
    monitor.on_warning(
        fmt::format("{} questions have fewer than {} shots before them, so that they fit the model's {} positions",
                    out.prompts.shortened, spec.n_shot, out.loaded.model->dims().max_positions));
  return out;
}

// Of each prompt the log-probabilities of the letters behind it; false when stopped.
bool score_all(const Asking& asking, const MultipleChoiceSpec& spec, JobMonitor& monitor,
               const std::function<void(const LetterLogprobs&)>& each) {
  const std::vector<std::vector<TokenId>>& prompts = asking.prompts.prompts;
  BatchEngine engine(asking.loaded, {.at_once = spec.batch_size,
                                     .longest = asking.prompts.longest + 1,
                                     .dtype = spec.infer_dtype,
                                     .remedy = "lower n_shot"});
  const auto begin = Clock::now();
  const auto total = static_cast<int64_t>(prompts.size());
  int64_t done = 0, tokens = 0;
  monitor.on_predicting(0, total, 0);
  const auto request = [&](size_t i) {
    return GenerateRequest{.prompt = prompts[i],
                           .max_tokens = 1,
                           .stop_token_ids = {},
                           .sampling = {.temperature = 0},
                           .adapter = asking.adapter,
                           .top_logprobs = 0,
                           .logprob_ids = {asking.letters.begin(), asking.letters.end()}};
  };
  const auto answered = [&](const std::vector<TokenOutput>& found) {
    HEARTH_CHECK(found.size() == 1 && found.front().top.size() == kLetters.size());
    LetterLogprobs logprobs;
    for (size_t i = 0; i < logprobs.size(); ++i) logprobs[i] = found.front().top[i].logprob;
    each(logprobs);
    tokens += static_cast<int64_t>(prompts[static_cast<size_t>(done)].size());
    const double seconds = std::max(std::chrono::duration<double>(Clock::now() - begin).count(), 1e-9);
    monitor.on_predicting(++done, total, static_cast<double>(tokens) / seconds);
  };
  return engine.run(0, prompts.size(), request, answered, [&] { return monitor.stop_requested(); });
}

void require_unused(const fs::path& save_dir) {
  if (fs::exists(save_dir) && !fs::is_directory(save_dir))
    throw failed_precondition("save_dir: {} is no directory; choose another", save_dir.string());
  if (fs::exists(save_dir / kMultipleChoiceResults))
    throw failed_precondition("save_dir: {} has the results of an evaluation ({}); choose another", save_dir.string(),
                              kMultipleChoiceResults);
}

}  // namespace

std::optional<ChoiceScores> evaluate_multiple_choice(const MultipleChoiceSpec& spec, JobMonitor& monitor,
                                                     const std::function<void(const LetterLogprobs&)>& each) {
  for (const std::string& warning : spec.warnings) monitor.on_warning(warning);
  if (!spec.save_dir.empty()) require_unused(spec.save_dir);
  const std::vector<ChoiceSubject> subjects = load_subjects(spec);
  const Asking asking = on_own_thread([&] { return prepare(spec, subjects, monitor); });
  std::optional<DirectoryLock> lock;
  if (!spec.save_dir.empty())
    lock.emplace(
        spec.save_dir, "save_dir",
        fmt::format("save_dir: another process is evaluating into {}; choose another", spec.save_dir.string()));
  std::vector<size_t> answers;
  const bool is_done = score_all(asking, spec, monitor, [&](const LetterLogprobs& logprobs) {
    answers.push_back(
        static_cast<size_t>(std::max_element(logprobs.begin(), logprobs.end()) - logprobs.begin()));  // the first
    if (each) each(logprobs);
  });
  if (!is_done) return std::nullopt;
  ChoiceScores scores(spec, subjects, answers);
  if (lock) scores.save(spec.save_dir);
  return scores;
}

}  // namespace hearth
