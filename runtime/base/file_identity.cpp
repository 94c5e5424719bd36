#include "runtime/base/file_identity.h"

#include <algorithm>
#include <system_error>
#include <vector>

namespace hearth {

namespace fs = std::filesystem;

void add_identity(const fs::path& path, Hash& hash, bool (*counts)(const fs::path&)) {
  std::vector<fs::path> files;
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path, failed))
      if (entry.is_regular_file(failed) && (!counts || counts(entry.path()))) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  for (const fs::path& file : files)
    hash.add(fs::weakly_canonical(file, failed).string())
        .add(std::to_string(fs::file_size(file, failed)))
        .add(std::to_string(fs::last_write_time(file, failed).time_since_epoch().count()));
}

}  // namespace hearth
