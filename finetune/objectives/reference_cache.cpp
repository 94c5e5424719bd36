#include "finetune/objectives/reference_cache.h"

#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/crc.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/little_endian.h"

namespace hearth {
namespace {

constexpr std::string_view kMagic = "HEARTHR1";
constexpr size_t kRecord = 32, kChecked = 28;

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

std::string record_of(uint64_t hash, const AnswerSums& sums) {
  std::string record;
  append_little_endian(record, hash);
  for (const double sum : sums) append_little_endian(record, std::bit_cast<uint64_t>(sum));
  append_little_endian(record, uint32_t{0});
  append_little_endian(record, crc32(record));
  return record;
}

}  // namespace

uint64_t hash_of(const TokenizedExample& example) {
  Hash hash;
  for (const std::vector<int32_t>* values : {&example.input_ids, &example.labels, &example.packed_lengths})
    hash.add("").add(std::as_bytes(std::span(*values)));
  return hash.value();
}

std::optional<std::unordered_map<uint64_t, AnswerSums>> parse_reference_cache(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  std::unordered_map<uint64_t, AnswerSums> found;
  for (size_t at = kMagic.size(); at + kRecord <= bytes.size(); at += kRecord) {
    const std::string_view record = bytes.substr(at, kRecord);
    if (little_endian(record.substr(kChecked)) != crc32(record.substr(0, kChecked))) continue;
    const AnswerSums sums = {std::bit_cast<double>(little_endian(record.substr(8, 8))),
                             std::bit_cast<double>(little_endian(record.substr(16, 8)))};
    if (std::isfinite(sums[0]) && std::isfinite(sums[1])) found[little_endian(record.substr(0, 8))] = sums;
  }
  return found;
}

ReferenceCache::ReferenceCache(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.empty()) {
    problem_ = "neither XDG_CACHE_HOME nor HOME is set";
    return;
  }
  try {
    std::error_code missing;
    const bool is_there = std::filesystem::exists(path_, missing) && std::filesystem::file_size(path_, missing) > 0;
    if (is_there) {
      const std::string bytes = read_file(path_);
      auto found = parse_reference_cache(bytes);
      if (!found) throw data_corruption("{}: is no file of reference log-probabilities: remove it", path_.string());
      sums_ = std::move(*found);
      // What a killed process left of a record would move those behind it.
      const size_t rest = (bytes.size() - kMagic.size()) % kRecord;
      if (rest > 0) std::filesystem::resize_file(path_, bytes.size() - rest);
    }
    if (!is_there) {  // whole: another process may be at the same place
      std::filesystem::create_directories(path_.parent_path());
      write_file_atomic(path_, kMagic);
    }
    file_ = std::make_unique<AppendFile>(path_);
  } catch (const Error& error) {
    problem_ = error.what();
    file_.reset();
  } catch (const std::filesystem::filesystem_error& error) {
    problem_ = fmt::format("{}: {}", path_.string(), error.code().message());
    file_.reset();
  }
}

std::optional<AnswerSums> ReferenceCache::find(const TokenizedExample& example) const {
  const auto found = sums_.find(hash_of(example));
  return found == sums_.end() ? std::nullopt : std::optional(found->second);
}

void ReferenceCache::put(const TokenizedExample& example, const AnswerSums& sums) {
  const uint64_t hash = hash_of(example);
  sums_[hash] = sums;
  if (!file_) return;
  try {
    file_->append(record_of(hash, sums));
  } catch (const Error& error) {
    problem_ = error.what();
    file_.reset();
  }
}

}  // namespace hearth
