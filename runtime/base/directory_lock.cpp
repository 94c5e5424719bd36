#include "runtime/base/directory_lock.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {

DirectoryLock::DirectoryLock(const std::filesystem::path& directory, std::string_view name, std::string_view held) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (!failed) descriptor_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0)
    throw unavailable("{}: {} cannot be made: {}", name, directory.string(),
                      failed ? failed.message() : std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw failed_precondition("{}", held);
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace hearth
