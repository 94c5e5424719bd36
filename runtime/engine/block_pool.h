// Who holds which block of the KV cache. A block is held by sequences (counted), cached (full, findable by its tokens,
// held by nobody, evicted in least-recently-used order when room is needed) or empty. Full blocks are found by their 16
// token ids and the identity of the block before them, so a match is a match of the whole prefix and two prefixes can
// never be taken for each other (vLLM's and SGLang's prefix caches trust a hash instead). What goes through an adapter
// begins with an identity of its own and never meets what another computed. Empty blocks go out lowest id first,
// because pages of the cache become resident when they are first written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/batch.h"

namespace hearth {

class BlockPool {
 public:
  // Identity of the content of a block together with all blocks before it. Never used twice.
  using ContentId = uint64_t;
  static constexpr ContentId kNoContent = 0;  // before the first block
  // Before the first block of what goes through an adapter, by Adapter::number.
  static constexpr ContentId before_adapted(uint64_t number) { return number | (ContentId{1} << 63); }

  struct Prefix {
    BlockTable blocks;
    ContentId content = kNoContent;  // of the last block
  };

  explicit BlockPool(int num_blocks);

  int num_blocks() const { return static_cast<int>(blocks_.size()); }
  int available() const { return static_cast<int>(empty_.size() + cached_.size()); }  // that nobody holds
  bool held(int32_t block) const { return blocks_[block].holders > 0; }

  // The longest run of findable blocks that `tokens` begins with, the first of them after `before`. Nothing is held by
  // it: call hold() before the next allocate().
  Prefix match(std::span<const TokenId> tokens, ContentId before = kNoContent) const;
  void hold(int32_t block);

  // A block for one holder; its former content is forgotten. Call only when available() > 0.
  int32_t allocate();

  // Makes a held block findable as the 16 `tokens` that follow `before`. Returns the content's identity: an earlier
  // block's, when it has the same.
  ContentId publish(int32_t block, ContentId before, std::span<const TokenId> tokens);
  // Takes a held block out of the findable ones: its content cannot be trusted.
  void forget(int32_t block);

  // Ends the table's hold of its blocks and empties it. Last block first, so that of cached prefixes the beginning,
  // which others may share, survives longest.
  void release(BlockTable& table);

 private:
  struct Key {
    ContentId before;
    std::array<TokenId, kBlockTokens> tokens;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Found {
    int32_t block;
    ContentId content;
  };
  using Index = std::unordered_map<Key, Found, KeyHash>;
  struct Block {
    int holders = 0;
    Index::const_iterator entry;             // end(): not findable
    std::list<int32_t>::iterator in_cached;  // valid while cached
  };

  static Key make_key(ContentId before, std::span<const TokenId> tokens);

  std::vector<Block> blocks_;
  Index index_;
  std::priority_queue<int32_t, std::vector<int32_t>, std::greater<>> empty_;
  std::list<int32_t> cached_;  // least recently used first
  ContentId last_content_ = kNoContent;
};

}  // namespace hearth
