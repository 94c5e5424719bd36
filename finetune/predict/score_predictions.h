// The scores of a file of predictions, a {"predict", "label"} object a row.
#pragma once

#include <filesystem>

#include "finetune/metrics/prediction_scores.h"

namespace hearth {

// Throws kNotFound, kInvalidArgument naming the row that has no such texts, or for a file without rows.
metrics::MeanScores score_predictions(const std::filesystem::path& file);

// The same, and writes what each row got, with its index from 0, to predict_scores.jsonl in the file's directory.
metrics::MeanScores score_predictions_by_row(const std::filesystem::path& file);

}  // namespace hearth
