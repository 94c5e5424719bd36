#include "runtime/base/append_file.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path(), error);
  if (error) throw unavailable("{}: cannot make the directory: {}", path_.parent_path().string(), error.message());
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw unavailable("{}: cannot open: {}", path_.string(), std::strerror(errno));
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AppendFile::append(std::string_view piece) {
  const off_t before = ::lseek(fd_, 0, SEEK_END);
  while (!piece.empty()) {
    const ssize_t n = ::write(fd_, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const std::string reason = std::strerror(errno);
      if (before >= 0 && ::ftruncate(fd_, before) != 0) {
        throw unavailable("{}: cannot write: {}; its last record is cut", path_.string(), reason);
      }
      throw unavailable("{}: cannot write: {}", path_.string(), reason);
    }
    piece.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace hearth
