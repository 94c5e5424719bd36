// The numbers a run ends with, as transformers' save_metrics: SPLIT_results.json for "train", "eval" or "predict", and
// all_results.json, which is their union.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "finetune/reports/trainer_state.h"

namespace hearth {

// Throws kUnavailable when a file cannot be written.
void save_results(const std::filesystem::path& output_dir, const std::string& split, const LogRecord& metrics);

// all_results.json, or where there is none SPLIT_results.json; nothing where neither is there as an object.
std::optional<LogRecord> load_results(const std::filesystem::path& output_dir, const std::string& split);

}  // namespace hearth
