// A run of three records for reports to tell of.
#pragma once

#include <filesystem>

#include "finetune/reports/trainer_state.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

inline TrainSpec some_spec(const std::filesystem::path& output_dir) {
  TrainSpec spec;
  spec.model_name_or_path = "smollm2";
  spec.data.dataset = {"alpaca_en_demo"};
  spec.training.output_dir = output_dir;
  spec.training.run_name = "first";
  return spec;
}

// The state before, and after each of its records.
template <class Log>
TrainerState some_run(Log log) {
  TrainerState state;
  state.max_steps = 20;
  state.num_train_epochs = 2;
  const auto record = [&](int64_t step, const char* text) {
    state.global_step = step;
    state.epoch = static_cast<double>(step) / 10;
    state.log(LogRecord::parse(text));
    log(state);
  };
  record(5, R"({"loss": 2.5, "grad_norm": 0.75, "learning_rate": 1e-05})");
  record(10, R"({"loss": 1.25, "grad_norm": 0.5, "learning_rate": 5e-06})");
  record(10, R"({"eval_loss": 1.5, "eval_runtime": 0.125})");
  return state;
}

}  // namespace hearth
