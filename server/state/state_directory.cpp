#include "server/state/state_directory.h"

#include <cstdlib>

#include <sys/stat.h>

#include "runtime/base/error.h"
#include "server/state/schema.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// Prompts of uploaded data and names of keys are nobody else's business.
fs::path made_private(const fs::path& path) {
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    fs::create_directories(path, failed);
    if (!failed) fs::permissions(path, fs::perms::owner_all, failed);
  }
  if (failed) throw unavailable("state directory: {} cannot be made: {}", path.string(), failed.message());
  return fs::absolute(path);
}

}  // namespace

fs::path default_state_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  if (const fs::path state = variable("XDG_STATE_HOME"); !state.empty()) return state / "hearth";
  if (const fs::path home = variable("HOME"); !home.empty()) return home / ".local" / "state" / "hearth";
  throw invalid_argument("there is no directory for jobs and keys: set HOME or XDG_STATE_HOME, or give --state-dir");
}

std::unique_ptr<Database> open_state_database(const fs::path& state_directory) {
  return std::make_unique<Database>(made_private(state_directory) / kDatabaseName, migrations());
}

StateDirectory::StateDirectory(const fs::path& path)
    : path_(made_private(path)),
      lock_(path_, "state directory",
            fmt::format("{}: another daemon keeps its jobs there; give this one another --state-dir", path_.string())),
      database_(open_state_database(path_)) {}

}  // namespace hearth
