#include <memory>

#include "server/commands/commands.h"
#include "server/worker/worker.h"

namespace hearth {

Prepare add_worker(CLI::App& app) {
  auto arguments = std::make_shared<WorkerArguments>();
  app.add_option("DIRECTORY", arguments->job_directory, "The job's, in the daemon's state directory")->required();
  app.add_option("--attempt", arguments->attempt, "Begin this attempt of the job, or nothing");
  app.add_option("--processes", arguments->processes, "How many srun starts, to train together (default 1)");
  app.footer("Started by the daemon for each job of its queue; see `hearth help submit` for how jobs get there.");
  return [arguments]() -> Run { return [arguments] { return run_worker(*arguments); }; };
}

}  // namespace hearth
