// A training job in the terminal: what it does before its first step, a bar while it runs, its log lines; without a
// terminal the lines alone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>

#include "finetune/trainer/train.h"

namespace hearth {

class TerminalMonitor : public JobMonitor {
 public:
  // Stops when `stop` is set.
  TerminalMonitor(std::FILE* out, bool terminal, std::atomic<bool>& stop)
      : out_(out), terminal_(terminal), stop_(stop) {}
  ~TerminalMonitor() override { clear_bar(); }

  void on_note(const std::string& line) override;
  void on_warning(const std::string& line) override;
  void on_steps(int64_t done, int64_t total) override;
  void on_predicting(int64_t done, int64_t total, double tokens_per_second) override;
  void on_step(const TrainerState& state, double loss, double tokens_per_second) override;
  void on_log(const LogRecord& record) override;
  void on_evaluating(int64_t done, int64_t total) override;
  void on_checkpoint(const std::filesystem::path& directory) override;
  bool stop_requested() override { return stop_.load(); }

 private:
  void print(const std::string& line);
  void draw_bar(const std::string& text);
  void clear_bar();

  std::FILE* out_;
  bool terminal_;
  std::atomic<bool>& stop_;
  bool drawn_ = false;
  bool predicts_ = false;
  int64_t first_ = 0;  // steps, or predictions, that were done before this run
  std::chrono::steady_clock::time_point started_, last_drawn_;
  double mean_rate_ = 0;  // tokens a second, smoothed
};

// " 40 % [=========>     ] step 40/100 ..."
struct TrainingProgress {
  int64_t step = 0, total = 1;
  double epoch = 0, loss = 0, tokens_per_second = 0, seconds_left = 0;
};
std::string training_bar(const TrainingProgress& progress);

// " 40 % [=========>     ] predicting 12/30  85 tokens/s ..."
std::string predicting_bar(const TrainingProgress& progress);

// "loss 1.234  grad_norm 0.51  learning_rate 5e-05  epoch 0.12", for a person.
std::string describe_record(const LogRecord& record);

}  // namespace hearth
