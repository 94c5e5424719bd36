#include "server/hub/blob_download.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "server/hub/repository.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

// The file that grows. Holds a lock on it, so that a second pull of the same blob waits for the first.
class PartialFile {
 public:
  PartialFile(fs::path path, const std::atomic<bool>& cancelled) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw unavailable("{}: cannot create: {}", path_.string(), std::strerror(errno));
    try {
      while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) sleep_unless_cancelled(std::chrono::milliseconds(100), cancelled);
    } catch (...) {
      ::close(fd_);
      throw;
    }
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    size_ = end > 0 ? static_cast<uint64_t>(end) : 0;
  }
  ~PartialFile() { ::close(fd_); }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  uint64_t size() const { return size_; }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == ENOSPC)
        throw resource_exhausted("{}: the disk is full; free space and run it again, it goes on from here",
                                 path_.string());
      if (n < 0) throw unavailable("{}: cannot write: {}", path_.string(), std::strerror(errno));
      size_ += static_cast<uint64_t>(n);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  void clear() {
    if (::ftruncate(fd_, 0) != 0) throw unavailable("{}: cannot truncate: {}", path_.string(), std::strerror(errno));
    size_ = 0;
  }

  // The whole content is on the disk before the name is.
  void move_to(const fs::path& target) {
    if (::fsync(fd_) != 0 || ::rename(path_.c_str(), target.c_str()) != 0)
      throw unavailable("{}: cannot put it in place: {}", target.string(), std::strerror(errno));
    const int directory = ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
      ::fsync(directory);
      ::close(directory);
    }
  }

 private:
  fs::path path_;
  int fd_;
  uint64_t size_ = 0;
};

class BlobDownload {
 public:
  BlobDownload(HttpClient& client, const BlobRequest& request, const std::function<void(int64_t)>& arrived,
               PartialFile& file)
      : client_(client), request_(request), arrived_(arrived), file_(file) {}

  // One request for what is missing; kUnavailable for what a later attempt may cure.
  void attempt() {
    if (file_.size() > request_.size) discard();
    if (file_.size() == request_.size) return;
    HttpRequest http;
    http.url = request_.url;
    http.bearer_token = request_.token;
    if (file_.size() > 0) {
      http.headers.push_back(fmt::format("Range: bytes={}-", file_.size()));
      if (!validator_.empty()) http.headers.push_back("If-Range: " + validator_);
    }
    const HttpResponse response = client_.send(
        http, [this](std::string_view piece) { return take(piece); },
        [this](const HttpResponse& head) { begin(head); });
    if (response.status == 416) {  // the file there is shorter than what we have
      discard();
      throw unavailable("{}: the server refuses the range that is missing", request_.name);
    }
    check_hub_status(response, request_.name, !request_.token.empty());
    if (file_.size() < request_.size) throw unavailable("{}: the connection ended early", request_.name);
  }

  void discard() {
    arrived_(-static_cast<int64_t>(file_.size()));
    file_.clear();
    validator_.clear();
  }

 private:
  void begin(const HttpResponse& head) {
    if (head.status == 206) {
      const std::string expected = fmt::format("bytes {}-", file_.size());
      if (!head.header("content-range").starts_with(expected)) {
        discard();
        throw unavailable("{}: the server sends another range than asked for", request_.name);
      }
    } else if (head.status == 200 && file_.size() > 0) {
      discard();
    }
    // A weak validator must not be used for ranges (RFC 9110, 13.1.5).
    const std::string etag = head.header("etag");
    if ((head.status == 200 || head.status == 206) && !etag.starts_with("W/")) validator_ = etag;
  }

  bool take(std::string_view piece) {
    if (piece.size() > request_.size - file_.size())
      throw data_corruption("{}: the server sends more than the {} bytes that the hub states", request_.name,
                            request_.size);
    file_.append(piece);
    arrived_(static_cast<int64_t>(piece.size()));
    return true;
  }

  HttpClient& client_;
  const BlobRequest& request_;
  const std::function<void(int64_t)>& arrived_;
  PartialFile& file_;
  std::string validator_;  // of the server that sent the bytes; not the hub's hash, which content servers do not know
};

// Empty when the content is right, else what it is.
std::string wrong_hash(const fs::path& path, const BlobRequest& request) {
  if (!request.sha256.empty()) {
    const std::string found = file_sha256(path);
    return found == request.sha256 ? "" : fmt::format("sha256 is {}, the hub states {}", found, request.sha256);
  }
  if (!request.git_id.empty()) {
    const std::string found = file_git_blob(path);
    return found == request.git_id ? "" : fmt::format("git id is {}, the hub states {}", found, request.git_id);
  }
  return "";
}

}  // namespace

fs::path incomplete_path(const fs::path& blob) { return blob.string() + ".incomplete"; }

void download_blob(HttpClient& client, const BlobRequest& request, const RetryPolicy& policy,
                   const std::function<void(int64_t)>& arrived, const std::atomic<bool>& cancelled) {
  const fs::path partial = incomplete_path(request.blob);
  PartialFile file(partial, cancelled);
  std::error_code ignored;
  if (fs::exists(request.blob, ignored)) {  // another pull finished while this one waited
    fs::remove(partial, ignored);
    return;
  }
  const bool resumed = file.size() > 0;
  BlobDownload download(client, request, arrived, file);
  const auto fetch = [&] {
    with_retries(
        policy, cancelled, [&] { download.attempt(); }, [&] { return file.size(); });
  };
  fetch();
  std::string wrong = wrong_hash(partial, request);
  if (!wrong.empty() && resumed) {  // the bytes of an earlier run may be what is wrong
    download.discard();
    fetch();
    wrong = wrong_hash(partial, request);
  }
  if (!wrong.empty()) {
    download.discard();
    fs::remove(partial, ignored);
    throw data_corruption("{}: not the file it should be: {}; it was removed", request.name, wrong);
  }
  file.move_to(request.blob);
}

}  // namespace hearth
