// The process that runs one attempt of a job: `hearth worker DIRECTORY`, started by the daemon or by a scheduler's
// script. What it does and how it ends is told in the job's directory; the exit code is for people. Of several that
// work together (finetune/parallel), the one of rank 0 tells.
#pragma once

#include <filesystem>

namespace hearth {

struct WorkerArguments {
  std::filesystem::path job_directory;
  int attempt = 0;    // that it was submitted for, and no other; 0: the current one
  int processes = 1;  // that are to work together
};

// -> exit code: 0 finished, or another process tells how it ended; 1 failed; 130 stopped with a checkpoint.
int run_worker(const WorkerArguments& arguments);

}  // namespace hearth
