// What a training job shows of itself, as the lines that its daemon reads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "finetune/trainer/train.h"
#include "server/jobs/worker_events.h"

namespace hearth {

class WorkerMonitor : public JobMonitor {
 public:
  // `began` is made as soon as output_dir is this job's.
  WorkerMonitor(WorkerEvents& events, std::filesystem::path began, const std::atomic<bool>& stop)
      : events_(events), began_(std::move(began)), stop_(stop) {}

  void on_note(const std::string& line) override { events_.message("info", line); }
  void on_warning(const std::string& line) override { events_.message("warn", line); }
  void on_steps(int64_t done, int64_t total) override;
  void on_predicting(int64_t done, int64_t total, double tokens_per_second) override;
  void on_step(const TrainerState& state, double loss, double tokens_per_second) override;
  void on_log(const LogRecord& record) override;
  void on_evaluating(int64_t done, int64_t total) override;
  void on_checkpoint(const std::filesystem::path& directory) override;
  bool stop_requested() override { return stop_.load(); }

 private:
  void begin(int64_t done, int64_t total);
  bool is_due();

  WorkerEvents& events_;
  const std::filesystem::path began_;
  const std::atomic<bool>& stop_;
  std::chrono::steady_clock::time_point started_, last_told_;
  int64_t first_ = 0, step_ = 0, total_ = 0;
  JobJson progress_ = JobJson::object();
  JobJson latest_ = JobJson::object();  // the newest value of everything logged
};

}  // namespace hearth
