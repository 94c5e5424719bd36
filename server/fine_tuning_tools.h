// What fine-tuning gets of the daemon: its uploads and its models.
#pragma once

#include "server/fine_tuning/fine_tuning.h"

namespace hearth {

class FileStore;
class JobStore;
class ModelHost;
struct AppOptions;

// All outlive what is returned.
FineTuningTools fine_tuning_tools(const AppOptions& options, ModelHost& host, FileStore& files, JobStore& jobs);

// Makes the models of earlier jobs known. One that does not fit any more is warned of and left out.
void attach_tuned_models(ModelHost& host, JobStore& jobs);

}  // namespace hearth
