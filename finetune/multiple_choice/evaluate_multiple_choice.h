// A multiple-choice evaluation from its spec to the files in save_dir: LLaMA-Factory's `eval`. The answer to a question
// is the likeliest of the letters A to D where the prompt ends.
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "finetune/multiple_choice/choice_scores.h"
#include "finetune/spec/multiple_choice_spec.h"
#include "finetune/trainer/train.h"

namespace hearth {

using LetterLogprobs = std::array<float, kLetters.size()>;

// Nothing when the monitor stopped it; results are only kept whole. on_predicting counts questions and tells tokens of
// prompts. Everything that can be refused is refused before the first question. `each` is told what was found of every
// question, in their order. Throws what load_subjects, make_prompts and load_model throw, and kFailedPrecondition where
// save_dir has the results of another evaluation.
std::optional<ChoiceScores> evaluate_multiple_choice(const MultipleChoiceSpec& spec, JobMonitor& monitor,
                                                     const std::function<void(const LetterLogprobs&)>& each = {});

}  // namespace hearth
