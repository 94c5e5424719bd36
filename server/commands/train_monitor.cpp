#include "server/commands/train_monitor.h"

#include <algorithm>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "server/hub/progress.h"

namespace hearth {
namespace {

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kWidth);
  return std::string(filled, '=') + std::string(filled < kWidth ? 1 : 0, '>') +
         std::string(std::max(0, kWidth - filled - 1), ' ');
}

}  // namespace

std::string training_bar(const TrainingProgress& p) {
  const double share = static_cast<double>(p.step) / static_cast<double>(std::max<int64_t>(p.total, 1));
  return fmt::format("{:3.0f} % [{}] step {}/{}  epoch {:.2f}  loss {:.4f}  {:.0f} tokens/s  {} left", 100 * share,
                     bar(share), p.step, p.total, p.epoch, p.loss, p.tokens_per_second,
                     format_duration(p.seconds_left));
}

std::string predicting_bar(const TrainingProgress& p) {
  const double share = static_cast<double>(p.step) / static_cast<double>(std::max<int64_t>(p.total, 1));
  return fmt::format("{:3.0f} % [{}] predicting {}/{}  {:.0f} tokens/s  {} left", 100 * share, bar(share), p.step,
                     p.total, p.tokens_per_second, format_duration(p.seconds_left));
}

std::string describe_record(const LogRecord& record) {
  std::string line;
  for (const auto& [key, value] : record.items()) {
    if (!line.empty()) line += "  ";
    if (value.is_number_float()) {
      line += fmt::format("{} {:.4g}", key, value.get<double>());
    } else {
      line += fmt::format("{} {}", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return line;
}

void TerminalMonitor::clear_bar() {
  if (!drawn_) return;
  fmt::print(out_, "\r\x1b[K");
  std::fflush(out_);
  drawn_ = false;
}

void TerminalMonitor::print(const std::string& line) {
  clear_bar();
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
}

void TerminalMonitor::draw_bar(const std::string& text) {
  fmt::print(out_, "\r{}\x1b[K", text);
  std::fflush(out_);
  drawn_ = true;
}

void TerminalMonitor::on_note(const std::string& line) { print(line); }

void TerminalMonitor::on_warning(const std::string& line) {
  clear_bar();
  std::fflush(out_);
  fmt::print(stderr, "warning: {}\n", line);
}

void TerminalMonitor::on_steps(int64_t done, int64_t total) {
  first_ = done;
  started_ = std::chrono::steady_clock::now();
  print(done > 0 ? fmt::format("{} of {} steps are done", done, total) : fmt::format("{} steps", total));
}

void TerminalMonitor::on_predicting(int64_t done, int64_t total, double tokens_per_second) {
  const auto now = std::chrono::steady_clock::now();
  if (!std::exchange(predicts_, true)) {
    first_ = done;
    started_ = now;
  }
  if (!terminal_) return;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double left = seconds / std::max(static_cast<double>(done - first_), 1.0) * static_cast<double>(total - done);
  draw_bar(
      predicting_bar({.step = done, .total = total, .tokens_per_second = tokens_per_second, .seconds_left = left}));
}

void TerminalMonitor::on_step(const TrainerState& state, double loss, double tokens_per_second) {
  mean_rate_ = mean_rate_ == 0 ? tokens_per_second : 0.9 * mean_rate_ + 0.1 * tokens_per_second;
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const auto done = static_cast<double>(state.global_step - first_);
  const double left = seconds / std::max(done, 1.0) * static_cast<double>(state.max_steps - state.global_step);
  draw_bar(training_bar({.step = state.global_step,
                         .total = state.max_steps,
                         .epoch = state.epoch,
                         .loss = loss,
                         .tokens_per_second = mean_rate_,
                         .seconds_left = left}));
}

void TerminalMonitor::on_log(const LogRecord& record) { print(describe_record(record)); }

void TerminalMonitor::on_evaluating(int64_t done, int64_t total) {
  if (!terminal_) return;
  const double share = static_cast<double>(done) / static_cast<double>(std::max<int64_t>(total, 1));
  draw_bar(fmt::format("{:3.0f} % [{}] evaluating {}/{}", 100 * share, bar(share), done, total));
}

void TerminalMonitor::on_checkpoint(const std::filesystem::path& directory) { print("saved " + directory.string()); }

}  // namespace hearth
