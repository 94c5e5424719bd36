// What a reference says of answers, kept on disk: an answer behind its prompt has the same sum of log-probabilities in
// every epoch and every run. Records are of fixed size with a checksum, so what a killed process left of one, or a
// damaged one, is computed again; several processes may append at once, and find each other's. The file is untrusted.
//
// "HEARTHR1", then records of 24 bytes, little endian: the hash of prompt and answer (8), the sum (f64), 4 zero bytes,
// and the CRC-32 of the 20 bytes before it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "finetune/encoding/tokenized_example.h"
#include "runtime/base/append_file.h"

namespace hearth {

// Of the ids and labels of one of the example's parts.
uint64_t hash_of_answer(const TokenizedExample& example, int part);

class ReferenceCache {
 public:
  // Where the file cannot be read or written, problem() says why and nothing is kept on disk.
  explicit ReferenceCache(std::filesystem::path path);

  std::optional<double> find(uint64_t answer) const;
  // A disk that takes no more is no error: the numbers are then kept for this run alone.
  void put(uint64_t answer, double sum);
  // What other processes have put since.
  void read_new();
  // Forgets everything, on disk too.
  void clear();

  const std::filesystem::path& path() const { return path_; }
  size_t size() const { return sums_.size(); }
  const std::string& problem() const { return problem_; }  // one line; empty: none

 private:
  void open();

  std::filesystem::path path_;
  std::unordered_map<uint64_t, double> sums_;
  std::unique_ptr<AppendFile> file_;  // null: nothing can be kept
  uint64_t read_ = 0;                 // bytes of the file
  std::string problem_;
};

// Adds the whole records that `bytes` begins with to `sums`, but for damaged ones. -> the bytes that they take
size_t parse_reference_records(std::string_view bytes, std::unordered_map<uint64_t, double>& sums);

}  // namespace hearth
