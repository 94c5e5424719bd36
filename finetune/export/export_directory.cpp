#include "finetune/export/export_directory.h"

#include <system_error>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

// Of the path as it is written, without a slash at its end.
fs::path normal(const fs::path& place) {
  const fs::path whole = fs::absolute(place).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

void check_place(const fs::path& place) {
  if (!fs::exists(place)) return;
  if (!fs::is_directory(place)) throw failed_precondition("export_dir {} is a file", place.string());
  if (!fs::is_empty(place) && !fs::exists(place / kExportMark))
    throw failed_precondition(
        "export_dir {} holds files that are no earlier export (it has no {}); name a new directory", place.string(),
        kExportMark);
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) throw unavailable("{}: cannot become {}: {}", from.string(), to.string(), failed.message());
}

}  // namespace

ExportDirectory::ExportDirectory(const fs::path& place)
    : place_(normal(place)), temporary_(place_.string() + std::string(kUnfinished)) {
  check_place(place_);
  lock_.emplace(temporary_, "export_dir", fmt::format("another process is writing export_dir {}", place_.string()));
  // What a killed run left.
  for (const fs::directory_entry& entry : fs::directory_iterator(temporary_)) fs::remove_all(entry);
}

ExportDirectory::~ExportDirectory() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void ExportDirectory::require_space(uint64_t bytes) const {
  const uint64_t available = fs::space(temporary_).available;
  if (bytes > available)
    throw resource_exhausted("export_dir {}: the files take {:.2f} GB, and the disk has {:.2f} GB left",
                             place_.string(), static_cast<double>(bytes) / 1e9, static_cast<double>(available) / 1e9);
}

void ExportDirectory::put_in_place() {
  check_place(place_);
  if (!fs::exists(place_) || fs::is_empty(place_)) {
    rename_or_throw(temporary_, place_);
  } else {
    const fs::path old = place_.string() + ".replaced";
    fs::remove_all(old);
    rename_or_throw(place_, old);
    rename_or_throw(temporary_, place_);
    fs::remove_all(old);
  }
  temporary_.clear();
}

}  // namespace hearth
