// Uploaded files: content in a directory under its id, everything else in the state database. The content is there
// before its row is, and goes after it, so that whatever is killed, a row's file can be read; what is left without a
// row is removed at the next start. A filename is data and no path. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"
#include "server/state/database.h"

namespace hearth {

struct FileRecord {
  std::string id;  // "file-" and 24 letters and digits
  std::string purpose, filename;
  int64_t bytes = 0;
  int64_t created_at = 0;               // unix milliseconds
  std::optional<int64_t> expires_at{};  // from then on it does not exist any more
};

struct NewFile {
  std::string purpose, filename;
  std::optional<std::chrono::seconds> expires_after = {};
};

struct FileQuery {
  std::string purpose = {};               // empty: all
  std::optional<std::string> after = {};  // the id of the last file of the page before
  int limit = 20;                         // at least 1
  bool oldest_first = false;
};

struct FileStoreOptions {
  int64_t max_bytes = int64_t{20} << 30;  // of all files
  std::function<int64_t()> now = {};      // unix milliseconds; empty: the clock
};

class FileStore {
 public:
  // `database` outlives it. Removes what a killed process left behind, and rows whose content is gone.
  FileStore(Database& database, std::filesystem::path directory, FileStoreOptions options = {});

  // Content that is still arriving: on disk under another name, and gone with the object unless commit() returned.
  class Incoming {
   public:
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;

    // Throws kResourceExhausted when all files together would have more than max_bytes, kUnavailable with the system's
    // reason (disk full, read-only).
    void write(std::string_view data);
    int64_t bytes() const { return bytes_; }
    FileRecord commit(const NewFile& file);  // once, the last; throws kUnavailable

   private:
    friend class FileStore;
    explicit Incoming(FileStore& store);
    FileStore& store_;
    const std::string id_;
    AtomicFile content_;
    int64_t bytes_ = 0;
    bool committed_ = false;
  };
  std::unique_ptr<Incoming> begin();  // throws kUnavailable

  // The three steps in one.
  FileRecord add(const NewFile& file, std::string_view content);

  // These four throw kNotFound.
  FileRecord get(std::string_view id);
  std::filesystem::path path_of(std::string_view id);
  void remove(std::string_view id);
  // The content under another name on the same disk, or a copy of it: remove() does not take it away.
  void link_to(std::string_view id, const std::filesystem::path& path);

  // Newest first unless asked otherwise. Throws kNotFound when there is no file `after`.
  std::vector<FileRecord> list(const FileQuery& query);

  // Removes files that have expired; who asks for one before that does not find it either.
  void sweep();

 private:
  void recover();
  void reserve(int64_t bytes);
  void release(int64_t bytes);

  Database& database_;
  const std::filesystem::path directory_;
  FileStoreOptions options_;
  std::mutex mutex_;
  int64_t used_bytes_ = 0;  // with those of what is arriving
};

bool is_file_id(std::string_view text);

}  // namespace hearth
