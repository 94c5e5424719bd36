// Learning rates over a run as transformers' get_scheduler computes them, in double: a step's rate is the peak times a
// factor that depends on the step alone, so a resumed run needs no state. Source: transformers 5.24 optimization.py and
// LLaMA-Factory's create_custom_scheduler.
#pragma once

#include <cstdint>
#include <functional>

#include "finetune/spec/train_spec.h"

namespace hearth {

// The factor of the update numbered `step`, from 0.
using Schedule = std::function<double(int64_t step)>;

// Throws kInvalidArgument for an lr_scheduler_kwargs that the type does not have, lacks or cannot use.
Schedule make_schedule(const TrainingSpec& training, int64_t total_steps);

// warmup_steps, or as a ratio warmup_ratio, of the run's updates.
int64_t num_warmup_steps(const TrainingSpec& training, int64_t total_steps);

}  // namespace hearth
