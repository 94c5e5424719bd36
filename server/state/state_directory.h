// Where the daemon keeps what outlives it: hearth.sqlite, files/ (uploads), jobs/, datasets/. One daemon at a time
// holds it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "runtime/base/directory_lock.h"
#include "server/state/database.h"

namespace hearth {

inline constexpr std::string_view kDatabaseName = "hearth.sqlite";

// $XDG_STATE_HOME/hearth, else ~/.local/state/hearth. Throws kInvalidArgument where there is neither.
std::filesystem::path default_state_directory();

// The database alone, without the daemon's lock: for commands that change keys while it runs. Makes what is missing.
std::unique_ptr<Database> open_state_database(const std::filesystem::path& state_directory);

class StateDirectory {
 public:
  // Makes it, for this user alone. Throws kFailedPrecondition where another daemon holds it, else what Database throws.
  explicit StateDirectory(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  Database& database() { return *database_; }
  std::filesystem::path files() const { return path_ / "files"; }
  std::filesystem::path jobs() const { return path_ / "jobs"; }
  std::filesystem::path datasets() const { return path_ / "datasets"; }

 private:
  std::filesystem::path path_;
  DirectoryLock lock_;
  std::unique_ptr<Database> database_;
};

}  // namespace hearth
