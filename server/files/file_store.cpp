#include "server/files/file_store.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/ids.h"
#include "server/state/clock.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIdPrefix = "file-", kPartlyCopied = ".copy";
constexpr size_t kIdDigits = 24;
constexpr const char* kColumns = "id, purpose, filename, bytes, created_at, expires_at";

FileRecord record_of(const SqlRows& row) {
  return {row.text(0), row.text(1), row.text(2), row.integer(3), row.integer(4), row.optional_integer(5)};
}

Error no_file(std::string_view id) { return not_found("there is no file '{}'", id.substr(0, 64)); }

void remove_content(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) log::warn("{}: cannot be removed: {}", path.string(), error.message());
}

}  // namespace

bool is_file_id(std::string_view text) {
  return text.starts_with(kIdPrefix) && text.size() == kIdPrefix.size() + kIdDigits &&
         std::all_of(text.begin() + kIdPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); });
}

FileStore::FileStore(Database& database, fs::path directory, FileStoreOptions options)
    : database_(database), directory_(std::move(directory)), options_(std::move(options)) {
  if (!options_.now) options_.now = unix_milliseconds;
  recover();
  sweep();
}

void FileStore::recover() {
  remove_unfinished_files(directory_);
  const std::vector<FileRecord> records = database_.transaction([](SqlTransaction& sql) {
    std::vector<FileRecord> all;
    SqlRows rows = sql.query(fmt::format("SELECT {} FROM files", kColumns));
    while (rows.next()) all.push_back(record_of(rows));
    return all;
  });
  std::set<std::string> known;
  for (const FileRecord& record : records) {
    std::error_code error;
    const auto size = fs::file_size(directory_ / record.id, error);
    known.insert(record.id);
    used_bytes_ += record.bytes;
    if (!error && static_cast<int64_t>(size) == record.bytes) continue;
    log::warn("{}: the content of the uploaded file '{}' is gone or changed; it is removed from the list",
              (directory_ / record.id).string(), record.filename);
    remove(record.id);
  }
  std::error_code ignored;  // no directory yet: nothing was left
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_file_id(name) && !known.contains(name)) remove_content(entry.path());
  }
}

void FileStore::reserve(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > options_.max_bytes - used_bytes_)
    throw resource_exhausted(
        "the uploaded files have {} bytes and may have {} in all: delete some (DELETE /v1/files/ID), or raise "
        "max_files_bytes",
        used_bytes_, options_.max_bytes);
  used_bytes_ += bytes;
}

void FileStore::release(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  used_bytes_ -= bytes;
}

FileStore::Incoming::Incoming(FileStore& store)
    : store_(store), id_(random_id(kIdPrefix)), content_(store.directory_ / id_) {}

FileStore::Incoming::~Incoming() {
  if (!committed_) store_.release(bytes_);
}

void FileStore::Incoming::write(std::string_view data) {
  store_.reserve(static_cast<int64_t>(data.size()));
  bytes_ += static_cast<int64_t>(data.size());
  content_.write(std::as_bytes(std::span(data)));
}

FileRecord FileStore::Incoming::commit(const NewFile& file) {
  FileRecord record{id_, file.purpose, file.filename, bytes_, store_.options_.now()};
  if (file.expires_after)
    record.expires_at = record.created_at + std::chrono::milliseconds(*file.expires_after).count();
  content_.commit();
  try {
    store_.database_.transaction([&](SqlTransaction& sql) {
      sql.run(fmt::format("INSERT INTO files ({}) VALUES (?, ?, ?, ?, ?, ?)", kColumns),
              {record.id, record.purpose, record.filename, record.bytes, record.created_at, record.expires_at});
    });
  } catch (...) {
    remove_content(store_.directory_ / id_);
    throw;
  }
  committed_ = true;
  return record;
}

std::unique_ptr<FileStore::Incoming> FileStore::begin() {
  sweep();
  return std::unique_ptr<Incoming>(new Incoming(*this));
}

FileRecord FileStore::add(const NewFile& file, std::string_view content) {
  const std::unique_ptr<Incoming> incoming = begin();
  incoming->write(content);
  return incoming->commit(file);
}

FileRecord FileStore::get(std::string_view id) {
  return database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows =
        sql.query(fmt::format("SELECT {} FROM files WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)", kColumns),
                  {id, options_.now()});
    if (!rows.next()) throw no_file(id);
    return record_of(rows);
  });
}

fs::path FileStore::path_of(std::string_view id) { return directory_ / get(id).id; }

void FileStore::remove(std::string_view id) {
  const FileRecord removed = database_.transaction([&](SqlTransaction& sql) {
    SqlRows rows = sql.query(fmt::format("SELECT {} FROM files WHERE id = ?", kColumns), {id});
    if (!rows.next()) throw no_file(id);
    FileRecord record = record_of(rows);
    sql.run("DELETE FROM files WHERE id = ?", {record.id});
    return record;
  });
  remove_content(directory_ / removed.id);
  release(removed.bytes);
}

void FileStore::link_to(std::string_view id, const fs::path& path) {
  const fs::path content = path_of(id);
  std::error_code error;
  fs::create_hard_link(content, path, error);
  if (!error) return;
  // Another file system, or one without links. A copy that was cut short must not pass for the file.
  fs::path partly = path;
  partly += kPartlyCopied;
  fs::copy_file(content, partly, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(partly, path, error);
  if (!error) return;
  const std::string reason = error.message();
  fs::remove(partly, error);
  throw unavailable("{}: the file '{}' cannot be copied there: {}", path.string(), id, reason);
}

std::vector<FileRecord> FileStore::list(const FileQuery& query) {
  return database_.transaction([&](SqlTransaction& sql) {
    std::optional<int64_t> cursor;
    if (query.after) {
      SqlRows row = sql.query("SELECT sequence FROM files WHERE id = ?", {*query.after});
      if (!row.next()) throw no_file(*query.after);
      cursor = row.integer(0);
    }
    SqlRows rows = sql.query(
        fmt::format("SELECT {} FROM files WHERE (expires_at IS NULL OR expires_at > ?1) AND (?2 = '' OR purpose = ?2) "
                    "AND (?3 IS NULL OR sequence {} ?3) ORDER BY sequence {} LIMIT ?4",
                    kColumns, query.oldest_first ? ">" : "<", query.oldest_first ? "ASC" : "DESC"),
        {options_.now(), query.purpose, cursor, query.limit});
    std::vector<FileRecord> files;
    while (rows.next()) files.push_back(record_of(rows));
    return files;
  });
}

void FileStore::sweep() {
  const std::vector<std::string> expired = database_.transaction([&](SqlTransaction& sql) {
    std::vector<std::string> ids;
    SqlRows rows = sql.query("SELECT id FROM files WHERE expires_at <= ?", {options_.now()});
    while (rows.next()) ids.push_back(rows.text(0));
    return ids;
  });
  for (const std::string& id : expired) {
    try {
      remove(id);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;  // somebody else has removed it
    }
  }
}

}  // namespace hearth
