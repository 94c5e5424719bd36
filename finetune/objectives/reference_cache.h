// What a reference says of examples, kept on disk: an example has the same numbers in every epoch and every run.
// Records are of fixed size and checksum, so what a killed process left of one, or a damaged one, is computed again;
// several processes may append at once. The file is untrusted.
//
// "HEARTHR1", then records of 32 bytes, little endian: the example's hash (8), two sums of log-probabilities (f64
// each), 4 zero bytes, and the CRC-32 of the 28 bytes before it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "finetune/encoding/tokenized_example.h"
#include "runtime/base/append_file.h"

namespace hearth {

using AnswerSums = std::array<double, 2>;

// Of its ids, labels and parts.
uint64_t hash_of(const TokenizedExample& example);

class ReferenceCache {
 public:
  // Reads the whole records of a file that is there. Where it cannot be read or written, problem() says why and nothing
  // is kept on disk.
  explicit ReferenceCache(std::filesystem::path path);

  std::optional<AnswerSums> find(const TokenizedExample& example) const;
  // A disk that takes no more is no error: the numbers are then kept for this run alone.
  void put(const TokenizedExample& example, const AnswerSums& sums);

  const std::filesystem::path& path() const { return path_; }
  size_t size() const { return sums_.size(); }
  const std::string& problem() const { return problem_; }  // one line; empty: none

 private:
  std::filesystem::path path_;
  std::unordered_map<uint64_t, AnswerSums> sums_;
  std::unique_ptr<AppendFile> file_;  // null: nothing can be kept
  std::string problem_;
};

// The records of a file's bytes; damaged ones are left out. Nothing for bytes that are no such file's.
std::optional<std::unordered_map<uint64_t, AnswerSums>> parse_reference_cache(std::string_view bytes);

}  // namespace hearth
