// The settings of a run as trackers show them: the job's keys by their own names.
#pragma once

#include <nlohmann/json.hpp>

#include "finetune/spec/train_spec.h"

namespace hearth {

nlohmann::ordered_json run_config(const TrainSpec& spec);

}  // namespace hearth
