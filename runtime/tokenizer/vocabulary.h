// Token texts by id and ids by text: one arena and one flat hash table. Ids come from files, so they are checked
// against a limit before anything is allocated for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

class Vocabulary {
 public:
  // Ids lie in [0, kMaxIds): far above every published vocabulary, low enough that a wild id cannot exhaust memory.
  static constexpr int64_t kMaxIds = int64_t{1} << 22;

  void reserve(size_t tokens, size_t bytes);

  // Gives `id` its text. A text that has an id already belongs to the new one from then on (the last of two duplicates
  // is what encoding produces, as in the reference); the old id keeps it for decoding. Throws kDataCorruption for an id
  // that is out of range or taken and for text that is not UTF-8.
  void set(int64_t id, std::string_view text);

  std::optional<TokenId> find(std::string_view text) const;
  // False for ids out of range and for gaps.
  bool contains(int64_t id) const { return id >= 0 && id < size() && entries_[static_cast<size_t>(id)].length != kGap; }
  // `id` must be contained.
  std::string_view text(TokenId id) const {
    const Entry& entry = entries_[static_cast<size_t>(id)];
    return std::string_view(arena_).substr(entry.begin, entry.length);
  }
  // The largest id + 1.
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }

 private:
  static constexpr uint32_t kGap = UINT32_MAX;
  struct Entry {
    uint32_t begin = 0, length = kGap;
  };
  void grow(size_t slots);
  // The slot that holds `text`, or the free one where it belongs.
  size_t slot_of(std::string_view text) const;

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // id + 1; 0: free. A power of two, at most half full.
  size_t used_ = 0;
};

}  // namespace hearth
