#include "server/jobs/job_directory.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {

JobDirectory JobDirectory::of(const std::filesystem::path& jobs, const std::string& id) {
  const bool is_id =
      !id.empty() && std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  if (!is_id) throw invalid_argument("'{}' is no id of a job", id);
  return JobDirectory(jobs / id);
}

void write_attempt(const JobDirectory& directory, const Attempt& attempt) {
  const JobJson json = {{"id", attempt.id},
                        {"kind", attempt.kind},
                        {"number", attempt.number},
                        {"directory", attempt.directory.string()},
                        {"is_child", attempt.is_child},
                        {"in_background", attempt.in_background}};
  write_file_atomic(directory.attempt(), json.dump() + "\n");
}

Attempt read_attempt(const JobDirectory& directory) {
  const JobJson json = JobJson::parse(read_file(directory.attempt()), nullptr, /*allow_exceptions=*/false);
  try {
    return {.id = json.at("id").get<std::string>(),
            .kind = json.at("kind").get<std::string>(),
            .number = json.at("number").get<int>(),
            .directory = json.at("directory").get<std::string>(),
            .is_child = json.at("is_child").get<bool>(),
            .in_background = json.at("in_background").get<bool>()};
  } catch (const JobJson::exception&) {
    throw data_corruption("{}: is not what the daemon writes there", directory.attempt().string());
  }
}

bool claim_attempt(const JobDirectory& directory, int attempt) {
  const std::filesystem::path file = directory.events(attempt);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno != EEXIST) throw unavailable("{}: cannot be made: {}", file.string(), std::strerror(errno));
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

}  // namespace hearth
