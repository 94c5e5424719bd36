// Byte-pair encoding: a piece becomes symbols (bytes or characters), then the adjacent pair of lowest rank, leftmost
// first, is merged until none is left. Near-linear in the piece's length. Equal to the BPE model of the `tokenizers`
// library and, with ranks by score, to sentencepiece's.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/tokenizer/model.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

struct BpeOptions {
  bool byte_level = false;                    // symbols are bytes, spelled as byte_level.h does; else characters
  bool byte_fallback = false;                 // an unknown character becomes its bytes' <0xNN> tokens
  bool ignore_merges = false;                 // a piece that is a token as a whole is that token
  bool fuse_unk = false;                      // neighbouring unknown characters become one unknown token
  std::optional<TokenId> unk = std::nullopt;  // without it unknown characters vanish
  std::string continuing_prefix = {};         // spelled before every character of a word but its first
  std::string end_of_word_suffix = {};        // spelled behind its last
};

struct BpeMerge {
  TokenId left, right, result;
  uint32_t rank;  // lower first; merges of equal rank go left to right
};

// Pair of ids -> rank and result: open addressing, one probe for most lookups.
class MergeTable {
 public:
  static constexpr uint32_t kNoMerge = UINT32_MAX;
  struct Entry {
    uint64_t pair = kFree;
    uint32_t rank = kNoMerge;
    TokenId result = 0;
  };
  explicit MergeTable(std::span<const BpeMerge> merges);  // of two for the same pair the later counts
  const Entry& find(TokenId left, TokenId right) const {
    const uint64_t pair = key(left, right);
    size_t slot = home(pair);
    while (entries_[slot].pair != pair && entries_[slot].pair != kFree) slot = (slot + 1) & mask_;
    return entries_[slot];
  }

 private:
  static constexpr uint64_t kFree = UINT64_MAX;
  static uint64_t key(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t home(uint64_t pair) const { return (pair * 0x9e3779b97f4a7c15u >> 32) & mask_; }
  std::vector<Entry> entries_;
  size_t mask_ = 0;
};

class BpeModel : public TokenModel {
 public:
  // `vocabulary` outlives the model. No merge leads to an id for which `is_control` is true, nor does ignore_merges:
  // only added-token matching gives those.
  BpeModel(const Vocabulary& vocabulary, std::span<const BpeMerge> merges, const BpeOptions& options,
           const std::vector<bool>& is_control);

  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const override;

 private:
  static constexpr TokenId kNone = -1;

  void encode_word(std::string_view word, Workspace& workspace, std::vector<TokenId>& ids) const;
  std::optional<TokenId> whole(std::string_view piece) const;
  void make_symbols(std::string_view word, std::vector<Workspace::Symbol>& symbols) const;
  bool has_affixes() const { return !options_.continuing_prefix.empty() || !options_.end_of_word_suffix.empty(); }
  void make_affixed_symbols(std::string_view word, std::vector<Workspace::Symbol>& symbols) const;
  void add_unknown(std::string_view character, std::vector<Workspace::Symbol>& symbols) const;
  void rank_pair(Workspace::Symbol& left, const Workspace::Symbol& right) const;
  void merge_short(std::vector<Workspace::Symbol>& symbols) const;
  void merge_long(Workspace& workspace) const;

  const Vocabulary& vocabulary_;
  BpeOptions options_;
  std::vector<bool> is_control_;
  MergeTable merges_;
  std::array<TokenId, 256>
      byte_ids_;  // of the byte itself (byte_level) or its <0xNN> token; kNone where the vocabulary lacks it
  std::array<TokenId, 128> ascii_ids_;
  bool splits_at_metaspace_ = false;  // no merge joins "x" and U+2581: words can be encoded one by one
};

}  // namespace hearth
