// Of a job that shows nothing, since another process speaks for it or nobody looks; it stops when it is told to.
#pragma once

#include <atomic>

#include "finetune/trainer/train.h"

namespace hearth {

class SilentMonitor : public JobMonitor {
 public:
  explicit SilentMonitor(const std::atomic<bool>& stop) : stop_(stop) {}
  void on_note(const std::string&) override {}
  void on_warning(const std::string&) override {}
  void on_steps(int64_t, int64_t) override {}
  void on_predicting(int64_t, int64_t, double) override {}
  void on_step(const TrainerState&, double, double) override {}
  void on_log(const LogRecord&) override {}
  void on_evaluating(int64_t, int64_t) override {}
  void on_checkpoint(const std::filesystem::path&) override {}
  bool stop_requested() override { return stop_.load(); }

 private:
  const std::atomic<bool>& stop_;
};

}  // namespace hearth
