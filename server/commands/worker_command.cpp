#include <memory>
#include <string>

#include "server/commands/commands.h"
#include "server/worker/worker.h"

namespace hearth {

Prepare add_worker(CLI::App& app) {
  auto directory = std::make_shared<std::string>();
  app.add_option("DIRECTORY", *directory, "The job's, in the daemon's state directory")->required();
  app.footer("Started by the daemon for each job of its queue; see `hearth help submit` for how jobs get there.");
  return [directory]() -> Run { return [directory] { return run_worker(*directory); }; };
}

}  // namespace hearth
