// The parts of a model that sees which a job trains: freeze_vision_tower, freeze_multi_modal_projector and
// freeze_language_model.
#pragma once

#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"
#include "models/adapters/peft_adapter.h"
#include "models/vision/vision_family.h"

namespace hearth {

bool is_frozen(const FrozenParts& frozen, ModelPart part);

// The linear maps, by their whole paths, that LLaMA-Factory puts an adapter on for a lora_target: those whose path has
// one of its names in it ("all": of every linear map but the projector's and the head) and that are of no frozen part.
// Source: find_all_linear_modules and patch_target_modules (model/model_utils). Throws kInvalidArgument for none.
std::vector<std::string> lora_targets(const std::vector<std::string>& target, const FrozenParts& frozen,
                                      const VisionConfig& vision, ModelTensors tensors);

}  // namespace hearth
