#include "finetune/reports/trainer_log.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace hearth {
namespace {

// Names in the line, and in a record.
constexpr std::array<std::pair<const char*, const char*>, 8> kFields = {{{"loss", "loss"},
                                                                         {"eval_loss", "eval_loss"},
                                                                         {"predict_loss", "predict_loss"},
                                                                         {"reward", "reward"},
                                                                         {"accuracy", "rewards/accuracies"},
                                                                         {"accuracy", "accuracy"},  // of rm
                                                                         {"lr", "learning_rate"},
                                                                         {"epoch", "epoch"}}};

// As Python prints a timedelta: "0:01:07", "1 day, 2:00:00".
std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  const int64_t days = s / 86400;
  const std::string clock = fmt::format("{}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
  return days == 0 ? clock : fmt::format("{} day{}, {}", days, days == 1 ? "" : "s", clock);
}

// Where the first `count` lines end.
uint64_t bytes_of_lines(const std::filesystem::path& path, size_t count) {
  std::ifstream file(path, std::ios::binary);
  uint64_t bytes = 0;
  std::string line;
  for (; count > 0 && std::getline(file, line) && !file.eof(); --count) bytes += line.size() + 1;
  return bytes;
}

double two_decimals(double x) { return std::round(x * 100) / 100; }

}  // namespace

std::string trainer_log_line(const TrainerState& state, const RunBegin& begin, double elapsed_seconds) {
  const LogRecord& record = state.log_history.back();
  const auto step = static_cast<double>(state.global_step), steps = static_cast<double>(state.max_steps);
  LogRecord line;
  line["current_steps"] = state.global_step;
  line["total_steps"] = state.max_steps;
  for (const auto& [name, key] : kFields) {
    if (const auto found = record.find(key); found != record.end()) line[name] = *found;
  }
  line["percentage"] = state.max_steps > 0 ? two_decimals(step / steps * 100) : 100;
  line["elapsed_time"] = duration(elapsed_seconds);
  const auto done = static_cast<double>(state.global_step - begin.global_step);
  line["remaining_time"] = duration(done > 0 ? (steps - step) * elapsed_seconds / done : 0);
  if (state.num_input_tokens_seen > 0) {
    const auto tokens = static_cast<double>(state.num_input_tokens_seen - begin.num_input_tokens_seen);
    line["throughput"] = two_decimals(tokens / std::max(elapsed_seconds, 1e-3));
    line["total_tokens"] = state.num_input_tokens_seen;
  }
  std::string text;
  for (const auto& [key, value] : line.items())
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", key, value.dump());
  return "{" + text + "}\n";
}

void TrainerLog::on_begin(const TrainSpec& spec, const TrainerState& state) {
  const std::filesystem::path path = spec.training.output_dir / "trainer_log.jsonl";
  std::error_code ignored;  // of a file that is not there; one that cannot be cut cannot be opened either
  std::filesystem::resize_file(path, bytes_of_lines(path, state.log_history.size()), ignored);
  file_.emplace(path);
  begin_ = {state.global_step, state.num_input_tokens_seen};
  begin_time_ = std::chrono::steady_clock::now();
}

void TrainerLog::on_log(const TrainerState& state) {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_time_;
  if (file_) file_->append(trainer_log_line(state, begin_, elapsed.count()));
}

void TrainerLog::on_end(const TrainerState&, Outcome) { file_.reset(); }

}  // namespace hearth
