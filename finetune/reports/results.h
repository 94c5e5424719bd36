// The numbers a run ends with, as transformers' save_metrics: SPLIT_results.json for "train", "eval" or "predict", and
// all_results.json, which is their union.
#pragma once

#include <filesystem>
#include <string>

#include "finetune/reports/trainer_state.h"

namespace hearth {

// Throws kUnavailable when a file cannot be written.
void save_results(const std::filesystem::path& output_dir, const std::string& split, const LogRecord& metrics);

}  // namespace hearth
