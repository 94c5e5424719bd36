// export_dir, made beside its place and put there when it is whole. What was there before is replaced only when it is
// an export itself (kExportMark) or empty.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/directory_lock.h"

namespace hearth {

// In every export: the YAML that made it.
inline constexpr std::string_view kExportMark = "export_args.yaml";

class ExportDirectory {
 public:
  // Throws kFailedPrecondition for something else in the place and for a second export to it, kUnavailable.
  explicit ExportDirectory(const std::filesystem::path& place);
  ~ExportDirectory();  // removes what was not put in place
  ExportDirectory(const ExportDirectory&) = delete;
  ExportDirectory& operator=(const ExportDirectory&) = delete;

  const std::filesystem::path& path() const { return temporary_; }  // to write to
  // Throws kResourceExhausted.
  void require_space(uint64_t bytes) const;
  void put_in_place();  // once, the last

 private:
  std::filesystem::path place_, temporary_;
  std::optional<DirectoryLock> lock_;
};

}  // namespace hearth
