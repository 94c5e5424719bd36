#include "server/jobs/job_files.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

int64_t unix_milliseconds_of(fs::file_time_type time) {
  const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

bool is_unfinished(const fs::path& path) { return path.string().find(kUnfinished) != std::string::npos; }

}  // namespace

JobFiles list_job_files(const fs::path& directory, size_t most) {
  JobFiles found;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // a job that runs removes checkpoints
    if (it->is_symlink(gone) || gone || is_unfinished(it->path().filename())) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(gone) || gone) continue;
    const auto bytes = it->file_size(gone);
    const auto time = gone ? fs::file_time_type() : it->last_write_time(gone);
    if (gone) continue;
    found.has_more = found.files.size() == most;
    if (found.has_more) break;
    found.files.push_back({it->path().lexically_relative(directory).generic_string(), static_cast<int64_t>(bytes),
                           unix_milliseconds_of(time)});
  }
  std::sort(found.files.begin(), found.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

fs::path find_job_file(const fs::path& directory, std::string_view path) {
  const Error none =
      not_found("the job has no file '{}'; GET /v1/jobs/ID/files lists what it has", path.substr(0, 256));
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error || path.empty() || path.find('\0') != std::string_view::npos) throw Error(none);
  const fs::path found = fs::canonical(root / path, error);
  if (error || !fs::is_regular_file(found, error)) throw Error(none);
  const auto [end, rest] = std::mismatch(root.begin(), root.end(), found.begin(), found.end());
  if (end != root.end()) throw Error(none);
  return found;
}

}  // namespace hearth
