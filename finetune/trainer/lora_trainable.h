// finetuning_type: lora. A new adapter, or an old one trained on: of adapter_name_or_path all but the last are merged
// into the model (with create_new_adapter the last too).
#pragma once

#include <memory>

#include "finetune/trainer/trainable.h"

namespace hearth {

// Sets ModelTensor::trained of what additional_target names.
std::unique_ptr<Trainable> make_lora_trainable(const TrainSpec& spec, const LoadedModel& loaded);

}  // namespace hearth
