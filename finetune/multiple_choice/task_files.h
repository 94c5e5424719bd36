// The files of a multiple-choice task: NAME/NAME.zip as LLaMA-Factory ships it, or the same files unpacked in the
// folder NAME. Untrusted: of an archive nothing is written to disk, and no file is read beyond kMostBytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "runtime/base/file.h"
#include "runtime/io/zip_archive.h"

namespace hearth {

class TaskFiles {
 public:
  static constexpr size_t kMostBytes = size_t{64} << 20;

  // `folder`: task_dir/NAME. Throws kNotFound, kDataCorruption for an archive that is none.
  explicit TaskFiles(std::filesystem::path folder);

  struct Found {
    std::string name;  // for messages: "evaluation/mmlu/mmlu.zip: data/test/anatomy_test.csv"
    std::string bytes;
  };
  // The first of the names that is there. Throws kDataCorruption, kResourceExhausted for a file of more than
  // kMostBytes.
  std::optional<Found> first_of(std::span<const std::string> names) const;
  // Where they are looked for.
  std::string place() const { return zip_ ? zip_->path().string() : folder_.string(); }

 private:
  std::filesystem::path folder_;
  std::shared_ptr<const MappedFile> zip_;  // null: the folder's own files
  ZipEntries entries_;
};

}  // namespace hearth
