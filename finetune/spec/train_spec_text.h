// A job written down as it was understood, and two jobs compared: what a run leaves beside its results, so that it can
// be repeated, and so that a checkpoint is only resumed by the job that made it.
#pragma once

#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"

namespace hearth {

// YAML that load_train_spec reads back as the same job, without its warnings; every key, defaults included, one a line.
std::string to_yaml(const TrainSpec& spec);

// The keys whose values make another model of the two: model, adapter, data, template, batch, schedule, seed and so on.
// What a run logs, saves, evaluates and reports may differ.
std::vector<std::string> differences(const TrainSpec& a, const TrainSpec& b);

}  // namespace hearth
