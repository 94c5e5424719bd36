#include "finetune/trainer/trainable.h"

#include "finetune/trainer/full_trainable.h"
#include "finetune/trainer/lora_trainable.h"
#include "finetune/trainer/reward_trainable.h"
#include "runtime/base/error.h"

namespace hearth {

namespace {

std::unique_ptr<Trainable> make_without_head(const TrainSpec& spec, const LoadedModel& loaded) {
  switch (spec.finetuning_type) {
    case FinetuningType::kLora:
      return make_lora_trainable(spec, loaded);
    case FinetuningType::kFreeze:
    case FinetuningType::kFull:
      return make_full_trainable(spec, loaded);
  }
  throw internal_error("this finetuning_type trains nothing");
}

}  // namespace

std::unique_ptr<Trainable> make_trainable(const TrainSpec& spec, const LoadedModel& loaded) {
  std::unique_ptr<Trainable> trainable = make_without_head(spec, loaded);
  if (spec.stage != Stage::kRewardModel) return trainable;
  return make_reward_trainable(std::move(trainable), spec, *loaded.model);
}

}  // namespace hearth
