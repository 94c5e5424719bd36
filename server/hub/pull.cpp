#include "server/hub/pull.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>

#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

constexpr auto kTick = std::chrono::milliseconds(20);

// A file with what its own URL says of it.
struct PlannedFile {
  HubFile file;
  std::string blob_name;
};

// Runs work(i, client, stop) for all i on a few threads while the caller's thread draws. The first failure stops the
// others and is thrown.
template <class Work>
void in_parallel(size_t count, int threads, PullProgress& progress, const std::atomic<bool>& cancelled,
                 const Work& work) {
  std::atomic<size_t> next{0}, ended{0};
  std::atomic<bool> stop{false};
  std::mutex failing;
  std::exception_ptr failure;
  const size_t num_threads = std::min<size_t>(count, static_cast<size_t>(std::max(1, threads)));
  std::vector<std::jthread> pool;
  for (size_t t = 0; t < num_threads; ++t) {
    pool.emplace_back([&] {
      try {
        HttpClient client(&stop);
        for (size_t i = next++; i < count && !stop; i = next++) work(i, client, stop);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (!stop.exchange(true)) failure = std::current_exception();
      }
      ++ended;
    });
  }
  while (ended < num_threads) {
    if (cancelled && !stop.exchange(true)) {
      const std::lock_guard lock(failing);
      failure = std::make_exception_ptr(hearth::cancelled("interrupted; run it again, it goes on from here"));
    }
    progress.tick();
    std::this_thread::sleep_for(kTick);
  }
  pool.clear();
  if (failure) std::rethrow_exception(failure);
}

// W/"abc" -> abc; empty when it cannot name a file.
std::string blob_name_of(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  std::erase(etag, '"');
  const bool plain = std::all_of(etag.begin(), etag.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
  return plain && etag.size() <= 128 ? etag : std::string();
}

// Asks the file's URL for its ETag, which names the blob, and for the size if the hub's list did not state it.
PlannedFile plan_file(const HubFile& file, const HubRepository& repository, const HubAccess& access,
                      HttpClient& client) {
  PlannedFile planned{file, {}};
  HttpRequest request;
  request.url = hub_file_url(access, repository, file.path);
  request.bearer_token = access.token;
  request.head = true;
  request.follow_to_other_hosts = false;
  request.headers = {"Accept-Encoding: identity"};
  const HttpResponse response = client.send(request);
  const std::string name = repository.repo + ": " + file.path;
  check_hub_status(response, name, !access.token.empty());
  const std::string linked = response.header("x-linked-etag");
  planned.blob_name = blob_name_of(linked.empty() ? response.header("etag") : linked);
  if (planned.blob_name.empty()) planned.blob_name = file.sha256.empty() ? file.git_id : file.sha256;
  if (planned.blob_name.empty()) throw data_corruption("{}: the hub states neither an ETag nor a hash", name);
  if (!planned.file.size) {
    const std::string size = response.header(linked.empty() ? "content-length" : "x-linked-size");
    if (size.empty() || size.size() > 13 ||
        !std::all_of(size.begin(), size.end(), [](char c) { return c >= '0' && c <= '9'; }))
      throw data_corruption("{}: the hub does not state its size", name);
    planned.file.size = std::stoull(size);
  }
  // A hub whose list has no hashes still names blobs by them.
  if (planned.file.sha256.empty() && planned.file.git_id.empty()) {
    if (planned.blob_name.size() == 64) planned.file.sha256 = planned.blob_name;
    if (planned.blob_name.size() == 40) planned.file.git_id = planned.blob_name;
  }
  return planned;
}

uint64_t size_on_disk(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

void check_disk_space(const fs::path& directory, uint64_t missing, const std::string& repo) {
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (!error && space.available < missing)
    throw resource_exhausted("{}: {} are missing and {} has room for {}; free space or set HF_HUB_CACHE", repo,
                             format_bytes(missing), directory.string(), format_bytes(space.available));
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw unavailable("{}: cannot make the directory: {}", path.string(), error.message());
}

// <folder>/<path> -> ../../blobs/<name>, replacing what was there at once.
void link_blob(const fs::path& folder, const std::string& path, const std::string& blob_name) {
  const fs::path link = folder / path;
  make_directories(link.parent_path());
  fs::path target = "../..";
  for (size_t i = 0; i < static_cast<size_t>(std::count(path.begin(), path.end(), '/')); ++i) target /= "..";
  target = target / "blobs" / blob_name;
  const fs::path temporary = link.string() + fmt::format(".{}.link", ::getpid());
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) throw unavailable("{}: cannot link: {}", link.string(), error.message());
}

// A new snapshot appears with all its links; one that is there gets what it lacks.
fs::path place_snapshot(const fs::path& repo_directory, const std::string& commit,
                        const std::vector<PlannedFile>& files) {
  const fs::path snapshot = repo_directory / "snapshots" / commit;
  std::error_code error;
  const bool exists = fs::is_directory(snapshot, error);
  const fs::path folder = exists ? snapshot : fs::path(snapshot.string() + fmt::format(".{}.new", ::getpid()));
  if (!exists) fs::remove_all(folder, error);
  for (const PlannedFile& file : files) link_blob(folder, file.file.path, file.blob_name);
  if (exists) return snapshot;
  fs::rename(folder, snapshot, error);
  if (error) {  // another pull was faster
    fs::remove_all(folder, error);
    for (const PlannedFile& file : files) link_blob(snapshot, file.file.path, file.blob_name);
  }
  return snapshot;
}

// The files to fetch with their blobs' names.
struct Plan {
  HubRepository repository;
  std::vector<PlannedFile> files;
};

Plan make_plan(const HubReference& reference, const PullOptions& options, PullProgress& progress,
               const std::atomic<bool>& cancelled) {
  Plan plan;
  RetryPolicy first_contact = options.retry;  // who is offline need not wait to be told
  first_contact.attempts = std::min(first_contact.attempts, 3);
  in_parallel(1, 1, progress, cancelled, [&](size_t, HttpClient& client, const std::atomic<bool>& stop) {
    with_retries(
        first_contact, stop, [&] { plan.repository = fetch_repository(client, options.access, reference); },
        [] { return 0; });
  });
  const std::vector<HubFile> wanted = select_files(plan.repository, reference.selector, options.file);
  plan.files.resize(wanted.size());
  in_parallel(wanted.size(), options.parallel, progress, cancelled,
              [&](size_t i, HttpClient& client, const std::atomic<bool>& stop) {
                with_retries(
                    options.retry, stop,
                    [&] { plan.files[i] = plan_file(wanted[i], plan.repository, options.access, client); },
                    [] { return 0; });
              });
  return plan;
}

// What is not in `blobs` yet, the largest first, so that threads end together; starts `progress` with what is there.
std::vector<PlannedFile> missing_files(const Plan& plan, const fs::path& blobs, PullProgress& progress) {
  uint64_t total = 0, present = 0;
  std::vector<PlannedFile> missing;
  for (const PlannedFile& file : plan.files) {
    const uint64_t size = *file.file.size;
    const fs::path blob = blobs / file.blob_name;
    const bool whole = fs::exists(blob) && size_on_disk(blob) == size;
    total += size;
    present += whole ? size : std::min(size, size_on_disk(incomplete_path(blob)));
    const bool twice = std::any_of(missing.begin(), missing.end(),
                                   [&](const PlannedFile& other) { return other.blob_name == file.blob_name; });
    if (!whole && !twice) missing.push_back(file);
  }
  check_disk_space(blobs, total - present, plan.repository.repo);
  progress.start(total, present);
  std::stable_sort(missing.begin(), missing.end(),
                   [](const PlannedFile& a, const PlannedFile& b) { return *a.file.size > *b.file.size; });
  return missing;
}

}  // namespace

PullResult pull(const HubReference& reference, const PullOptions& options, PullProgress& progress,
                const std::atomic<bool>& cancelled) {
  const Plan plan = make_plan(reference, options, progress, cancelled);
  const fs::path directory = hub_repo_directory(plan.repository.repo);
  const fs::path blobs = directory / "blobs";
  make_directories(blobs);
  const std::vector<PlannedFile> missing = missing_files(plan, blobs, progress);
  const auto fetch = [&](size_t i, HttpClient& client, const std::atomic<bool>& stop) {
    const PlannedFile& file = missing[i];
    BlobRequest request;
    request.name = plan.repository.repo + ": " + file.file.path;
    request.url = hub_file_url(options.access, plan.repository, file.file.path);
    request.token = options.access.token;
    request.blob = blobs / file.blob_name;
    request.size = *file.file.size;
    request.sha256 = file.file.sha256;
    request.git_id = file.file.git_id;
    download_blob(
        client, request, options.retry, [&](int64_t bytes) { progress.add(bytes); }, stop);
    progress.file_done(file.file.path, request.size);
  };
  in_parallel(missing.size(), options.parallel, progress, cancelled, fetch);
  progress.finish();
  PullResult result{place_snapshot(directory, plan.repository.commit, plan.files), plan.repository.commit,
                    plan.files.size(), 0};
  for (const PlannedFile& file : plan.files) result.bytes += *file.file.size;
  if (!is_commit(reference.revision)) write_file_atomic(directory / "refs" / reference.revision, result.commit);
  return result;
}

}  // namespace hearth
