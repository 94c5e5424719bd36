// Remembers the ids of short words, since most words of a text are among a few thousand. Direct mapped and of fixed
// size (1 MiB): a newer word displaces an older one, so no input can make it grow or slow.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

class WordCache {
 public:
  static constexpr size_t kMaxBytes = 38, kMaxIds = 6;

  static uint64_t hash(std::string_view word) { return std::hash<std::string_view>{}(word); }

  // The ids of `word`; empty when it is not there.
  std::span<const TokenId> find(std::string_view word, uint64_t hash) const {
    if (slots_.empty()) return {};
    const Slot& slot = slots_[hash % kSlots];
    if (slot.bytes != word.size() || std::memcmp(slot.word.data(), word.data(), word.size()) != 0) return {};
    return {slot.ids.data(), slot.count};
  }

  void put(std::string_view word, uint64_t hash, std::span<const TokenId> ids) {
    if (word.size() > kMaxBytes || ids.size() > kMaxIds) return;
    if (slots_.empty()) slots_.resize(kSlots);
    Slot& slot = slots_[hash % kSlots];
    slot.bytes = static_cast<uint8_t>(word.size());
    slot.count = static_cast<uint8_t>(ids.size());
    std::memcpy(slot.word.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), slot.ids.begin());
  }

  // Appends the ids of `word`, which are those that `encode()` appends.
  template <class Encode>
  void remember(std::string_view word, std::vector<TokenId>& ids, Encode&& encode) {
    if (word.size() > kMaxBytes) return encode();
    const uint64_t key = hash(word);
    const std::span<const TokenId> known = find(word, key);
    ids.insert(ids.end(), known.begin(), known.end());
    if (!known.empty()) return;
    const size_t before = ids.size();
    encode();
    if (ids.size() > before) put(word, key, std::span<const TokenId>(ids).subspan(before));
  }

 private:
  static constexpr size_t kSlots = size_t{1} << 14;
  struct alignas(64) Slot {  // one cache line
    uint8_t bytes = 0, count = 0;
    std::array<char, kMaxBytes> word;
    std::array<TokenId, kMaxIds> ids;
  };
  static_assert(sizeof(Slot) == 64);
  std::vector<Slot> slots_;
};

}  // namespace hearth
