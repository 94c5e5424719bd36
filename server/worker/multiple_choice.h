// A multiple-choice evaluation of the queue.
#pragma once

#include "finetune/spec/multiple_choice_spec.h"
#include "server/worker/training.h"

namespace hearth {

// An interrupted evaluation starts anew; one that an earlier attempt has finished is not run again. Throws what
// evaluate_multiple_choice throws.
WorkerOutcome run_multiple_choice(const WorkerContext& context, const MultipleChoiceSpec& spec);

}  // namespace hearth
