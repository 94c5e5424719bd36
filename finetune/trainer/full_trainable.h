// finetuning_type: full and freeze. Tensors of the model trained as they are, in f32, and written as a Hugging Face
// checkpoint that is complete.
#pragma once

#include <memory>

#include "finetune/trainer/trainable.h"

namespace hearth {

// Sets ModelTensor::trained of what is trained: everything, or what freeze_trainable_layers and _modules name. Throws
// kInvalidArgument for a model whose checkpoint cannot be written (a GGUF file).
std::unique_ptr<Trainable> make_full_trainable(const TrainSpec& spec, const LoadedModel& loaded);

}  // namespace hearth
