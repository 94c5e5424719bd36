// Files as hearth uses them: models are mapped, small texts are read whole, results are written so that a crash leaves
// the old file or the new one and never half of one (temporary file beside it, fsync, rename).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hearth {

// A read-only shared mapping; the pages are the page cache's, shared with every other process that maps the file.
class MappedFile {
 public:
  // Throws kNotFound, or kInvalidArgument for what is not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  // Gives the resident pages of [offset, offset + length) back; they are read again from the page cache when touched.
  void release_pages(size_t offset, size_t length) const;

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
};

// Throws kNotFound, or kResourceExhausted when the file is larger than max_bytes.
std::string read_file(const std::filesystem::path& path, size_t max_bytes = size_t{64} << 20);

// How names end of what is still being written.
constexpr std::string_view kUnfinished = ".unfinished";

// A file that appears at `path` whole, by commit(), or not at all: until then it is a temporary one beside it, which is
// gone with the object. Every function throws kUnavailable with the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);  // parent directories are made
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> content);
  void commit();  // once, the last

 private:
  std::filesystem::path path_;
  std::string temporary_;  // empty once committed
  int descriptor_ = -1;
};

// Of the AtomicFiles in a directory, those that a killed process left behind. What cannot be removed stays.
void remove_unfinished_files(const std::filesystem::path& directory);

// All or nothing, as AtomicFile.
void write_file_atomic(const std::filesystem::path& path, std::string_view content);

}  // namespace hearth
