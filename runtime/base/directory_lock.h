// A directory that one process at a time may work in.
#pragma once

#include <filesystem>
#include <string_view>

namespace hearth {

// The system lets go of it with the process, however that ends. On a file system without locks it holds nothing.
class DirectoryLock {
 public:
  // Makes the directory where it is missing. Throws kUnavailable ("name: directory cannot be made: ..."), and where
  // another process has the lock kFailedPrecondition with `held`.
  DirectoryLock(const std::filesystem::path& directory, std::string_view name, std::string_view held);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace hearth
