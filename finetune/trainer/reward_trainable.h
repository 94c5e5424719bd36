// What stage rm trains: an adapter or tensors as elsewhere, and a value head beside them.
#pragma once

#include <memory>

#include "finetune/trainer/trainable.h"

namespace hearth {

// The head is that of the adapter or checkpoint that training starts from, or a new one.
std::unique_ptr<Trainable> make_reward_trainable(std::unique_ptr<Trainable> model, const TrainSpec& spec,
                                                 const LanguageModel& language_model);

}  // namespace hearth
