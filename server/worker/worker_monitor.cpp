#include "server/worker/worker_monitor.h"

#include <algorithm>

#include "runtime/base/file.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::seconds(1);

}  // namespace

bool WorkerMonitor::is_due() {
  const auto now = Clock::now();
  if (now - last_told_ < kTick) return false;
  last_told_ = now;
  return true;
}

void WorkerMonitor::begin(int64_t done, int64_t total) {
  if (!std::filesystem::exists(began_)) write_file_atomic(began_, "");
  first_ = step_ = done;
  total_ = total;
  started_ = Clock::now();
}

void WorkerMonitor::on_steps(int64_t done, int64_t total) {
  begin(done, total);
  events_.message("info",
                  done > 0 ? fmt::format("{} of {} steps are done", done, total) : fmt::format("{} steps", total));
}

void WorkerMonitor::on_step(const TrainerState& state, double loss, double tokens_per_second) {
  const bool is_first = step_ == first_;
  step_ = state.global_step;
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  progress_ = {{"phase", kTraining},
               {"step", step_},
               {"total_steps", total_},
               {"epoch", state.epoch},
               {"loss", loss},
               {"tokens_per_second", tokens_per_second},
               {"seconds_left", seconds / static_cast<double>(step_ - first_) * static_cast<double>(total_ - step_)}};
  if (is_due() || is_first || step_ == total_) events_.progress(progress_);
}

void WorkerMonitor::on_predicting(int64_t done, int64_t total, double tokens_per_second) {
  const bool is_first = progress_.value("phase", "") != kPredicting;
  if (is_first) begin(done, total);
  step_ = done;
  progress_ = {
      {"phase", kPredicting}, {"step", done}, {"total_steps", total}, {"tokens_per_second", tokens_per_second}};
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  if (done > first_)
    progress_["seconds_left"] = seconds / static_cast<double>(done - first_) * static_cast<double>(total - done);
  if (is_due() || is_first || done == total) events_.progress(progress_);
}

void WorkerMonitor::on_log(const LogRecord& record) {
  latest_.update(record);
  events_.metrics(step_, total_, record);
}

void WorkerMonitor::on_evaluating(int64_t done, int64_t total) {
  progress_["phase"] = kEvaluating;
  progress_["evaluated"] = done;
  progress_["to_evaluate"] = total;
  if (is_due()) events_.progress(progress_);
}

void WorkerMonitor::on_checkpoint(const std::filesystem::path& directory) {
  events_.checkpoint(step_, std::filesystem::absolute(directory), latest_);
}

}  // namespace hearth
