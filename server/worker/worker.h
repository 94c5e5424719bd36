// The process that runs one attempt of a job: `hearth worker DIRECTORY`, started by the daemon or by a scheduler's
// script. What it does and how it ends is told in the job's directory; the exit code is for people.
#pragma once

#include <filesystem>

namespace hearth {

// -> exit code: 0 finished, 1 failed, 130 stopped with a checkpoint.
int run_worker(const std::filesystem::path& job_directory);

}  // namespace hearth
