#include "server/worker/multiple_choice.h"

#include <filesystem>
#include <optional>

#include "finetune/multiple_choice/choice_scores.h"
#include "finetune/multiple_choice/evaluate_multiple_choice.h"
#include "server/worker/worker_monitor.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// Whether an earlier attempt came to its end.
bool is_finished(const MultipleChoiceSpec& spec, const JobDirectory& files) {
  const fs::path results = spec.save_dir / kMultipleChoiceResults;
  return fs::exists(files.began()) && fs::exists(results) &&
         fs::last_write_time(results) >= fs::last_write_time(files.began());
}

}  // namespace

WorkerOutcome run_multiple_choice(const WorkerContext& context, const MultipleChoiceSpec& spec) {
  if (!context.events) return WorkerOutcome::kFinished;  // another process answers
  const auto finish = [&](const ChoiceScores& scores) {
    context.events->finished({{"output_dir", fs::absolute(spec.save_dir).string()},
                              {"model", spec.model_name_or_path},
                              {"metrics", scores.percents()}});
    return WorkerOutcome::kFinished;
  };
  if (is_finished(spec, context.directory)) return finish(ChoiceScores::load(spec.save_dir));
  WorkerMonitor monitor(*context.events, context.directory.began(), context.stop);
  const std::optional<ChoiceScores> scores = evaluate_multiple_choice(spec, monitor);
  if (scores) return finish(*scores);
  context.events->stopped();
  return WorkerOutcome::kStopped;
}

}  // namespace hearth
