// What trackers are told, named as transformers' callbacks name it: train/loss, eval/loss.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "finetune/reports/trainer_state.h"

namespace hearth {

// "eval_loss" -> "eval/loss", "test_loss" -> "test/loss", "loss" -> "train/loss".
inline std::string tracked_name(std::string_view key) {
  for (const std::string_view split : {"eval_", "test_"}) {
    if (key.starts_with(split)) return std::string(split.substr(0, 4)) + "/" + std::string(key.substr(5));
  }
  return "train/" + std::string(key);
}

// The numbers of the newest record but its step. A value that is none (a loss of NaN) is left out.
inline std::vector<std::pair<std::string, double>> newest_numbers(const TrainerState& state) {
  std::vector<std::pair<std::string, double>> numbers;
  for (const auto& [key, value] : state.log_history.back().items())
    if (value.is_number() && key != "step") numbers.emplace_back(key, value.template get<double>());
  return numbers;
}

}  // namespace hearth
