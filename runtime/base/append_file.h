// A file that grows by whole pieces (lines, records): a piece is one write, and what a failed one left of it is taken
// back, so a reader never finds half of one behind it.
#pragma once

#include <filesystem>
#include <string_view>

namespace hearth {

class AppendFile {
 public:
  // Made where it is missing, with its directories. Throws kUnavailable.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Throws kUnavailable with the system's reason: a full disk, say.
  void append(std::string_view piece);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace hearth
