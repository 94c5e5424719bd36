#include "runtime/tokenizer/vocabulary.h"

#include <bit>
#include <functional>

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

void Vocabulary::reserve(size_t tokens, size_t bytes) {
  arena_.reserve(bytes);
  entries_.reserve(tokens);
  grow(std::bit_ceil(tokens * 2 + 2));
}

void Vocabulary::grow(size_t slots) {
  if (slots <= slots_.size()) return;
  std::vector<uint32_t> old(slots, 0);
  old.swap(slots_);
  for (const uint32_t slot : old) {
    if (slot != 0) slots_[slot_of(text(static_cast<TokenId>(slot - 1)))] = slot;
  }
}

size_t Vocabulary::slot_of(std::string_view wanted) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = std::hash<std::string_view>{}(wanted)&mask;
  while (slots_[slot] != 0 && text(static_cast<TokenId>(slots_[slot] - 1)) != wanted) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::set(int64_t id, std::string_view text) {
  if (id < 0 || id >= kMaxIds) throw data_corruption("token id {} is outside [0, {})", id, kMaxIds);
  if (contains(id))
    throw data_corruption("token id {} is given twice: to '{}' and to '{}'", id, this->text(static_cast<TokenId>(id)),
                          text);
  if (const size_t bad = utf8::find_invalid(text); bad != std::string_view::npos) {
    throw data_corruption("token {} is not UTF-8 at byte {}", id, bad);
  }
  if (text.size() > UINT32_MAX / 2 - arena_.size())
    throw data_corruption("token {}: the vocabulary's texts are over 2 GiB", id);
  if (id >= size()) entries_.resize(static_cast<size_t>(id) + 1);
  entries_[static_cast<size_t>(id)] = {static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(text.size())};
  arena_.append(text);
  if (2 * (used_ + 1) > slots_.size()) grow(std::bit_ceil(4 * used_ + 4));
  const size_t slot = slot_of(text);
  if (slots_[slot] == 0) ++used_;
  slots_[slot] = static_cast<uint32_t>(id) + 1;
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const uint32_t slot = slots_[slot_of(text)];
  if (slot == 0) return std::nullopt;
  return static_cast<TokenId>(slot - 1);
}

}  // namespace hearth
