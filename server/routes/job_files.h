// Where a job writes: what its routes share.
#pragma once

#include <filesystem>

#include "server/jobs/job.h"

namespace hearth {

class JobRunner;

// Absolute; empty where its spec names none (a fine-tuning job that is still looked at has no spec).
std::filesystem::path output_dir_of(const Job& job, const JobRunner& runner);

}  // namespace hearth
