// Curves of a run as LLaMA-Factory draws them: training_KEY.png in output_dir, raw and smoothed, for each key that the
// history has.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "finetune/reports/trainer_state.h"

namespace hearth {

// Keys such as "loss", "eval_loss"; '/' in a key is '_' in its file's name. What cannot be drawn is one warning each.
void plot_history(const TrainerState& state, const std::vector<std::string>& keys,
                  const std::filesystem::path& output_dir);

// TensorBoard's exponential moving average, its weight by the number of values: 1.8 * (sigmoid(0.05 n) - 0.5).
std::vector<double> smoothed(const std::vector<double>& values);

}  // namespace hearth
