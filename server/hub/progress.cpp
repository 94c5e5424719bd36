#include "server/hub/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace hearth {

std::string format_bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  int unit = 0;
  while (value >= 999.95 && unit < 3) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 359999.0));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

DownloadProgress::DownloadProgress(std::string title, std::FILE* out, bool terminal)
    : title_(std::move(title)), out_(out), terminal_(terminal), started_(std::chrono::steady_clock::now()) {}

void DownloadProgress::start(uint64_t total_bytes, uint64_t present_bytes) {
  started_ = std::chrono::steady_clock::now();
  total_ = total_bytes;
  present_ = static_cast<int64_t>(present_bytes);
  done_ = present_;
}

double DownloadProgress::seconds_since_start() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

std::string DownloadProgress::line(double seconds) const {
  const int64_t done = std::max<int64_t>(0, done_.load(std::memory_order_relaxed));
  const double share = total_ ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)) : 1.0;
  const double rate = seconds > 0 ? static_cast<double>(std::max<int64_t>(0, done - present_)) / seconds : 0;
  const std::string left =
      rate > 0 ? format_duration((static_cast<double>(total_) - static_cast<double>(done)) / rate) : "-:--";
  // All bytes are there before their hashes are checked; a rate that sinks meanwhile would mislead.
  const std::string pace =
      share < 1 ? fmt::format("{}/s  {} left", format_bytes(static_cast<uint64_t>(rate)), left) : "checking";
  const std::string numbers = fmt::format("{:3.0f} %  {} of {}  {}", std::floor(share * 100),
                                          format_bytes(static_cast<uint64_t>(done)), format_bytes(total_), pace);
  if (!terminal_) return fmt::format("{}: {}", title_, numbers);
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  return fmt::format("{}  [{}{}] {}", title_, std::string(filled, '='), std::string(kWidth - filled, ' '), numbers);
}

void DownloadProgress::tick() {
  const double now = seconds_since_start();
  if (total_ == 0 || now - last_drawn_ < (terminal_ ? 0.1 : 10.0)) return;
  last_drawn_ = now;
  const std::lock_guard lock(writing_);
  const std::string text = line(now);
  if (terminal_) fmt::print(out_, "\r\x1b[K{}", text);
  if (!terminal_) fmt::print(out_, "{}\n", text);
  std::fflush(out_);
  drawn_ = terminal_;
}

void DownloadProgress::file_done(std::string_view path, uint64_t bytes) {
  if (terminal_) return;
  const std::lock_guard lock(writing_);
  fmt::print(out_, "{}: {} ({})\n", title_, path, format_bytes(bytes));
  std::fflush(out_);
}

void DownloadProgress::finish() {
  const std::lock_guard lock(writing_);
  if (std::exchange(drawn_, false)) fmt::print(out_, "\r\x1b[K{}\n", line(seconds_since_start()));
  std::fflush(out_);
}

}  // namespace hearth
