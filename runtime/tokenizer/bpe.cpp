#include "runtime/tokenizer/bpe.h"

#include <algorithm>
#include <bit>

#include "runtime/base/error.h"
#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

using Symbol = Workspace::Symbol;
constexpr uint32_t kEnd = UINT32_MAX;
constexpr size_t kShortWord = 24;  // symbols up to which a linear scan beats the heap

// Where the word that begins at `begin` ends: before the next U+2581 that follows another character.
size_t word_end(std::string_view text, size_t begin) {
  size_t pos = begin;
  while (text.compare(pos, kMetaspace.size(), kMetaspace) == 0) pos += kMetaspace.size();
  return std::min(text.find(kMetaspace, pos), text.size());
}

bool has_inner_metaspace(std::string_view text) { return word_end(text, 0) < text.size(); }

}  // namespace

MergeTable::MergeTable(std::span<const BpeMerge> merges) {
  entries_.resize(std::bit_ceil(merges.size() * 2 + 2));
  mask_ = entries_.size() - 1;
  for (const BpeMerge& merge : merges) {
    const uint64_t pair = key(merge.left, merge.right);
    size_t slot = home(pair);
    while (entries_[slot].pair != kFree && entries_[slot].pair != pair) slot = (slot + 1) & mask_;
    entries_[slot] = {pair, merge.rank, merge.result};
  }
}

BpeModel::BpeModel(const Vocabulary& vocabulary, std::span<const BpeMerge> merges, const BpeOptions& options,
                   const std::vector<bool>& is_control)
    : vocabulary_(vocabulary), options_(options), is_control_(is_control), merges_([&] {
        std::vector<BpeMerge> allowed;
        allowed.reserve(merges.size());
        for (const BpeMerge& merge : merges) {
          if (!is_control[static_cast<size_t>(merge.result)]) allowed.push_back(merge);
        }
        return MergeTable(allowed);
      }()) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string text;
    if (options.byte_level) {
      utf8::append(text, byte_level::to_unicode(static_cast<uint8_t>(byte)));
    } else {
      text = byte_token(static_cast<uint8_t>(byte));
    }
    byte_ids_[byte] = vocabulary.find(text).value_or(kNone);
  }
  for (size_t c = 0; c < ascii_ids_.size(); ++c) {
    ascii_ids_[c] = vocabulary.find(std::string(1, static_cast<char>(c))).value_or(kNone);
  }
  splits_at_metaspace_ = !options.byte_level && !has_affixes() && vocabulary.find(kMetaspace).has_value() &&
                         std::none_of(merges.begin(), merges.end(), [&](const BpeMerge& merge) {
                           return has_inner_metaspace(vocabulary.text(merge.result));
                         });
}

void BpeModel::encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const {
  if (piece.size() > UINT32_MAX / 2) throw invalid_argument("a text of {} bytes is too long to tokenise", piece.size());
  if (!splits_at_metaspace_ || options_.ignore_merges) return encode_word(piece, workspace, ids);
  for (size_t begin = 0; begin < piece.size();) {
    const size_t end = word_end(piece, begin);
    encode_word(piece.substr(begin, end - begin), workspace, ids);
    begin = end;
  }
}

void BpeModel::encode_word(std::string_view word, Workspace& workspace, std::vector<TokenId>& ids) const {
  const bool cacheable = word.size() <= WordCache::kMaxBytes;
  const uint64_t hash = cacheable ? WordCache::hash(word) : 0;
  if (cacheable) {
    const std::span<const TokenId> known = workspace.cache.find(word, hash);
    ids.insert(ids.end(), known.begin(), known.end());
    if (!known.empty()) return;
  }
  const size_t before = ids.size();
  if (const std::optional<TokenId> id = options_.ignore_merges ? whole(word) : std::nullopt) {
    ids.push_back(*id);
  } else {
    std::vector<Symbol>& symbols = workspace.symbols;
    make_symbols(word, symbols);
    if (symbols.size() <= kShortWord) {
      merge_short(symbols);
      for (const Symbol& symbol : symbols) ids.push_back(symbol.id);
    } else {
      merge_long(workspace);
      for (uint32_t at = 0; at != kEnd; at = symbols[at].next) ids.push_back(symbols[at].id);
    }
  }
  if (cacheable && ids.size() > before) workspace.cache.put(word, hash, std::span(ids).subspan(before));
}

std::optional<TokenId> BpeModel::whole(std::string_view piece) const {
  const std::optional<TokenId> id =
      vocabulary_.find(options_.byte_level ? byte_level::encode(piece) : std::string(piece));
  if (id && is_control_[static_cast<size_t>(*id)]) return std::nullopt;
  return id;
}

void BpeModel::make_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  symbols.clear();
  if (has_affixes()) return make_affixed_symbols(word, symbols);
  const auto push = [&](TokenId id) { symbols.push_back({id, 0, MergeTable::kNoMerge, 0, 0}); };
  for (size_t pos = 0; pos < word.size();) {
    const auto lead = static_cast<unsigned char>(word[pos]);
    const size_t length = options_.byte_level ? 1 : utf8::length_from_lead(lead);
    const std::string_view character = word.substr(pos, length);
    const TokenId id = options_.byte_level ? byte_ids_[lead]
                       : length == 1       ? ascii_ids_[lead]
                                           : vocabulary_.find(character).value_or(kNone);
    if (id != kNone) {
      push(id);
    } else {
      add_unknown(character, symbols);
    }
    pos += length;
  }
}

void BpeModel::make_affixed_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  std::string text;
  for (size_t pos = 0; pos < word.size();) {
    const size_t next = pos + utf8::length_from_lead(static_cast<unsigned char>(word[pos]));
    text.clear();
    if (pos > 0) text += options_.continuing_prefix;
    text += word.substr(pos, next - pos);
    if (next == word.size()) text += options_.end_of_word_suffix;
    if (const std::optional<TokenId> id = vocabulary_.find(text)) {
      symbols.push_back({*id, 0, MergeTable::kNoMerge, 0, 0});
    } else {
      add_unknown(text, symbols);
    }
    pos = next;
  }
}

void BpeModel::add_unknown(std::string_view character, std::vector<Symbol>& symbols) const {
  const auto push = [&](TokenId id) { symbols.push_back({id, 0, MergeTable::kNoMerge, 0, 0}); };
  const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (options_.byte_fallback && !options_.byte_level &&
      std::all_of(character.begin(), character.end(), [&](char byte) { return byte_id(byte) != kNone; })) {
    for (const char byte : character) push(byte_id(byte));
    return;
  }
  if (!options_.unk) return;
  if (options_.fuse_unk && !symbols.empty() && symbols.back().id == *options_.unk) return;
  push(*options_.unk);
}

inline void BpeModel::rank_pair(Symbol& left, const Symbol& right) const {
  const MergeTable::Entry& entry = merges_.find(left.id, right.id);
  left.rank = entry.rank;
  left.merged = entry.result;
}

void BpeModel::merge_short(std::vector<Symbol>& symbols) const {
  size_t count = symbols.size();
  for (size_t i = 0; i + 1 < count; ++i) rank_pair(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (symbols[i].rank < symbols[best].rank) best = i;
    }
    if (symbols[best].rank == MergeTable::kNoMerge) break;
    symbols[best].id = symbols[best].merged;
    std::copy(symbols.begin() + best + 2, symbols.begin() + count, symbols.begin() + best + 1);
    --count;
    if (best > 0) rank_pair(symbols[best - 1], symbols[best]);
    if (best + 1 < count) {
      rank_pair(symbols[best], symbols[best + 1]);
    } else {
      symbols[best].rank = MergeTable::kNoMerge;
    }
  }
  symbols.resize(count);
}

void BpeModel::merge_long(Workspace& workspace) const {
  std::vector<Symbol>& symbols = workspace.symbols;
  std::vector<uint64_t>& heap =
      workspace.heap;  // rank << 32 | position; outdated entries are recognised when they surface
  const auto count = static_cast<uint32_t>(symbols.size());
  const auto entry = [&](uint32_t at) { return uint64_t{symbols[at].rank} << 32 | at; };
  const auto rank = [&](uint32_t at) {
    if (symbols[at].next == kEnd) {
      symbols[at].rank = MergeTable::kNoMerge;
      return;
    }
    rank_pair(symbols[at], symbols[symbols[at].next]);
  };
  heap.clear();
  for (uint32_t at = 0; at < count; ++at) {
    symbols[at].prev = at == 0 ? kEnd : at - 1;
    symbols[at].next = at + 1 == count ? kEnd : at + 1;
    rank(at);
    if (symbols[at].rank != MergeTable::kNoMerge) heap.push_back(entry(at));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto refresh = [&](uint32_t at) {
    rank(at);
    if (symbols[at].rank == MergeTable::kNoMerge) return;
    heap.push_back(entry(at));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto at = static_cast<uint32_t>(heap.back());
    const auto popped_rank = static_cast<uint32_t>(heap.back() >> 32);
    heap.pop_back();
    Symbol& left = symbols[at];
    if (left.rank != popped_rank) continue;
    Symbol& right = symbols[left.next];
    left.id = left.merged;
    left.next = right.next;
    right.rank = MergeTable::kNoMerge;
    if (left.next != kEnd) symbols[left.next].prev = at;
    refresh(at);
    if (left.prev != kEnd) refresh(left.prev);
  }
}

}  // namespace hearth
