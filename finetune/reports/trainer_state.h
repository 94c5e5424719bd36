// What a run knows about itself: how far it is and everything it has logged. It is saved beside each checkpoint and at
// the end, so that a resumed run goes on with its history; transformers' TrainerState reads and writes the same file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

// An object of names and numbers in the order they are shown, by transformers' names: loss, grad_norm, learning_rate,
// epoch; eval_loss ...; train_runtime ... and, in a history, step at its end.
using LogRecord = nlohmann::ordered_json;

struct TrainerState {
  int64_t global_step = 0, max_steps = 0;  // updates
  double epoch = 0;
  int64_t num_train_epochs = 0;
  int64_t logging_steps = 500, eval_steps = 500, save_steps = 500;  // updates
  int64_t train_batch_size = 0;
  int64_t num_input_tokens_seen = 0;
  double total_flos = 0;
  std::optional<double> best_metric;
  std::optional<int64_t> best_global_step;
  std::optional<std::string> best_model_checkpoint;
  std::vector<LogRecord> log_history;

  // Adds the epoch and global_step to a record of this moment.
  void log(LogRecord record);

  // Throws kUnavailable.
  void save(const std::filesystem::path& path) const;
  // Throws kNotFound, or kDataCorruption naming the field.
  static TrainerState load(const std::filesystem::path& path);
};

}  // namespace hearth
