// What a job has left in its output_dir, for those who fetch it. Symbolic links, which may lead anywhere, and what is
// still being written are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

struct JobFile {
  std::string path;  // below the directory, with '/'
  int64_t bytes = 0;
  int64_t modified_at = 0;  // unix milliseconds
};

struct JobFiles {
  std::vector<JobFile> files;  // by path
  bool has_more = false;       // than were asked for
};

// None of a directory that is not there.
JobFiles list_job_files(const std::filesystem::path& directory, size_t most);

// The regular file of that path below the directory. Throws kNotFound for any other, and for whatever leads out of it.
std::filesystem::path find_job_file(const std::filesystem::path& directory, std::string_view path);

}  // namespace hearth
