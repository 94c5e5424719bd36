// A trainer alone in its process, without reports, over examples in memory.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "finetune/trainer/trainer.h"
#include "tests/finetune/trainer/quiet_monitor.h"

namespace hearth::test {

struct TrainerRun {
  TrainerRun(const TrainSpec& spec, const LoadedModel& loaded, Trainable& trainable,
             std::vector<TokenizedExample> examples, std::vector<EvalSet> held_out = {})
      : pictures(loaded, spec.data.pixel_limits, int64_t{1} << 30),
        objective(make_objective(spec, loaded, pictures, trainable.value_head())),
        set(spec.training, std::move(examples)),
        eval(std::move(held_out)),
        trainer({.spec = spec,
                 .model = *loaded.model,
                 .trainable = trainable,
                 .pictures = pictures,
                 .objective = *objective,
                 .examples = set,
                 .eval = eval,
                 .processes = alone,
                 .weighs_batches_alike = loaded.pictures != nullptr},
                reports, monitor) {}

  PictureFeatures pictures;
  std::unique_ptr<Objective> objective;
  InMemorySet set;
  std::vector<EvalSet> eval;
  QuietMonitor monitor;
  Reports reports{nullptr, {}};
  SingleProcess alone;
  Trainer trainer;
};

}  // namespace hearth::test
