#include "finetune/objectives/reference_cache.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/base/crc.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/little_endian.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "HEARTHR1";
constexpr size_t kRecord = 24, kChecked = 20;

std::string record_of(uint64_t hash, double sum) {
  std::string record;
  append_little_endian(record, hash);
  append_little_endian(record, std::bit_cast<uint64_t>(sum));
  append_little_endian(record, uint32_t{0});
  append_little_endian(record, crc32(record));
  return record;
}

// A file with its magic at `path`, unless one is there: of processes that come at once one makes it.
void make_file(const fs::path& path) {
  fs::create_directories(path.parent_path());
  const fs::path fresh = path.string() + fmt::format(".{}", ::getpid());
  write_file_atomic(fresh, kMagic);
  std::error_code taken, ignored;
  fs::create_hard_link(fresh, path, taken);
  fs::remove(fresh, ignored);
  if (taken && taken != std::errc::file_exists)
    throw unavailable("{}: cannot make it: {}", path.string(), taken.message());
}

}  // namespace

uint64_t hash_of_answer(const TokenizedExample& example, int part) {
  const auto begin = static_cast<size_t>(part == 0 ? 0 : example.packed_lengths.at(0));
  const auto length = static_cast<size_t>(example.packed_lengths.at(static_cast<size_t>(part)));
  Hash hash;
  for (const std::vector<TokenId>* values : {&example.input_ids, &example.labels})
    hash.add("").add(std::as_bytes(std::span(*values).subspan(begin, length)));
  for (const ExamplePicture& one : example.pictures) {
    const auto at = static_cast<size_t>(one.begin);
    if (at >= begin && at < begin + length) hash.add(one.picture->layout.identity);
  }
  return hash.value();
}

size_t parse_reference_records(std::string_view bytes, std::unordered_map<uint64_t, double>& sums) {
  size_t at = 0;
  for (; at + kRecord <= bytes.size(); at += kRecord) {
    const std::string_view record = bytes.substr(at, kRecord);
    if (read_little_endian(record.substr(kChecked)) != crc32(record.substr(0, kChecked))) continue;
    const auto sum = std::bit_cast<double>(read_little_endian(record.substr(8, 8)));
    if (std::isfinite(sum)) sums[read_little_endian(record.substr(0, 8))] = sum;
  }
  return at;
}

ReferenceCache::ReferenceCache(fs::path path) : path_(std::move(path)) {
  if (path_.empty()) {
    problem_ = "neither XDG_CACHE_HOME nor HOME is set";
    return;
  }
  open();
}

void ReferenceCache::open() {
  try {
    if (!fs::exists(path_)) make_file(path_);
    std::string magic(kMagic.size(), '\0');
    std::ifstream(path_, std::ios::binary).read(magic.data(), static_cast<std::streamsize>(magic.size()));
    if (magic != kMagic)
      throw data_corruption("{}: is no file of reference log-probabilities: remove it", path_.string());
    read_ = kMagic.size();
    read_new();
    // What a killed process left of a record would move those behind it.
    const uint64_t rest = (fs::file_size(path_) - kMagic.size()) % kRecord;
    if (rest > 0) fs::resize_file(path_, fs::file_size(path_) - rest);
    file_ = std::make_unique<AppendFile>(path_);
  } catch (const Error& error) {
    problem_ = error.what();
  } catch (const fs::filesystem_error& error) {
    problem_ = fmt::format("{}: {}", path_.string(), error.code().message());
  }
}

std::optional<double> ReferenceCache::find(uint64_t answer) const {
  const auto found = sums_.find(answer);
  return found == sums_.end() ? std::nullopt : std::optional(found->second);
}

void ReferenceCache::put(uint64_t answer, double sum) {
  sums_[answer] = sum;
  if (!file_) return;
  try {
    file_->append(record_of(answer, sum));
  } catch (const Error& error) {
    problem_ = error.what();
    file_.reset();
  }
}

void ReferenceCache::read_new() {
  std::ifstream file(path_, std::ios::binary);
  if (!problem_.empty() || !file.seekg(static_cast<std::streamoff>(read_))) return;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  read_ += parse_reference_records(bytes, sums_);
}

void ReferenceCache::clear() {
  sums_.clear();
  if (!file_) return;
  file_.reset();
  std::error_code ignored;
  fs::remove(path_, ignored);
  open();
}

}  // namespace hearth
