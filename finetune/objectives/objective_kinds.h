// The objectives, one a file.
#pragma once

#include <memory>

#include "finetune/objectives/objective.h"
#include "finetune/objectives/reference.h"
#include "models/adapters/value_head.h"
#include "runtime/language_model.h"

namespace hearth {

// Stages sft and pt: every label's -log p, as transformers and LLaMA-Factory have it.
std::unique_ptr<Objective> make_next_tokens(const LanguageModel& model, float label_smoothing);
// Stage dpo. The reference is null where the loss has none.
std::unique_ptr<Objective> make_preference_pairs(const LanguageModel& model, const PreferenceSpec& preference,
                                                 std::unique_ptr<Reference> reference);
// Stage kto.
std::unique_ptr<Objective> make_feedback(const LanguageModel& model, PictureFeatures& pictures,
                                         const PreferenceSpec& preference, std::unique_ptr<Reference> reference);
// Stage rm.
std::unique_ptr<Objective> make_reward_pairs(const LanguageModel& model, ValueHead& head);

}  // namespace hearth
