#include "finetune/multiple_choice/task_files.h"

#include <utility>

#include "runtime/base/error.h"

namespace hearth {

namespace fs = std::filesystem;

TaskFiles::TaskFiles(fs::path folder) : folder_(std::move(folder)) {
  if (!fs::is_directory(folder_))
    throw not_found("{}: there is no such folder; task_dir must be the folder that holds it", folder_.string());
  const fs::path zip = folder_ / (folder_.filename().string() + ".zip");
  if (!fs::exists(zip)) return;
  zip_ = MappedFile::open(zip);
  entries_ = read_zip(zip_->bytes(), zip.string());
}

std::optional<TaskFiles::Found> TaskFiles::first_of(std::span<const std::string> names) const {
  for (const std::string& name : names) {
    if (!zip_) {
      const fs::path path = folder_ / name;
      if (fs::exists(path)) return Found{path.string(), read_file(path, kMostBytes)};
      continue;
    }
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) continue;
    const std::string place = zip_->path().string() + ": " + name;
    return Found{place, unpack(entry->second, kMostBytes, place)};
  }
  return std::nullopt;
}

}  // namespace hearth
