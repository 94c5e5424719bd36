// Who owns which KV block. Blocks are shared by reference count; a full block is published under the chain of token ids
// that it ends, and once nobody holds it, it stays shareable until its place is needed (least recently released first).
// Blocks never written before come last, lowest id first, so that the cache's memory becomes resident only as it is
// needed.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/batch.h"

namespace hearth {

class BlockPool {
 public:
  using Chain = uint64_t;  // stands for all tokens up to the end of a block; kNoChain before the first
  static constexpr Chain kNoChain = 0;

  // The chain of a block with these kBlockTokens tokens after `before`.
  static Chain extend(Chain before, std::span<const TokenId> tokens);

  explicit BlockPool(int num_blocks);

  int total() const { return static_cast<int>(blocks_.size()); }
  int used() const { return used_; }                 // held by somebody
  int available() const { return total() - used_; }  // free, or shareable and held by nobody

  // A block for new tokens, held once; nothing when all are held. Takes the place of the longest unheld shareable block
  // when no other is left.
  std::optional<int32_t> allocate();
  // The published block with these kBlockTokens tokens after `before`, held once more.
  std::optional<int32_t> share(Chain before, std::span<const TokenId> tokens);
  // Makes a full block, held and not published, shareable. An equal block that is published already stays the shared
  // one.
  void publish(int32_t block, Chain before, std::span<const TokenId> tokens);
  void release(int32_t block);

 private:
  struct Block {
    int holders = 0;
    bool published = false;
    Chain before = kNoChain, chain = kNoChain;
    std::vector<TokenId> tokens;             // of a published block
    std::list<int32_t>::iterator unheld_at;  // where it stands in unheld_, when published and held by nobody
  };
  void hold(int32_t id);
  void unpublish(Block& block);

  std::vector<Block> blocks_;
  std::vector<int32_t> blank_;  // neither held nor published; the last is taken first
  std::list<int32_t> unheld_;   // published and held by nobody, longest first
  std::unordered_map<Chain, int32_t> published_;
  int used_ = 0;
};

}  // namespace hearth
