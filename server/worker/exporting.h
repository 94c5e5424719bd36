// An export of the queue.
#pragma once

#include "finetune/spec/export_spec.h"
#include "server/worker/training.h"

namespace hearth {

// An interrupted export starts anew. Throws what export_model throws.
WorkerOutcome run_exporting(const WorkerContext& context, const ExportSpec& spec);

}  // namespace hearth
