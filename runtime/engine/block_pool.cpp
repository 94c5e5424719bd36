#include "runtime/engine/block_pool.h"

#include <algorithm>
#include <numeric>

#include "runtime/base/error.h"

namespace hearth {

BlockPool::Chain BlockPool::extend(Chain before, std::span<const TokenId> tokens) {
  Chain chain = before;
  for (const TokenId token : tokens) {
    chain = (chain ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15u;
    chain ^= chain >> 32;
  }
  return chain == kNoChain ? 1 : chain;
}

BlockPool::BlockPool(int num_blocks) : blocks_(num_blocks), blank_(num_blocks) {
  std::iota(blank_.rbegin(), blank_.rend(), 0);
}

void BlockPool::hold(int32_t id) {
  Block& block = blocks_[id];
  if (block.holders++ > 0) return;
  ++used_;
  if (block.published) unheld_.erase(block.unheld_at);
}

void BlockPool::unpublish(Block& block) {
  published_.erase(block.chain);
  block.published = false;
  block.tokens.clear();
}

std::optional<int32_t> BlockPool::allocate() {
  if (!blank_.empty()) {
    const int32_t id = blank_.back();
    blank_.pop_back();
    hold(id);
    return id;
  }
  if (unheld_.empty()) return std::nullopt;
  const int32_t id = unheld_.front();
  hold(id);
  unpublish(blocks_[id]);
  return id;
}

std::optional<int32_t> BlockPool::share(Chain before, std::span<const TokenId> tokens) {
  const auto found = published_.find(extend(before, tokens));
  if (found == published_.end()) return std::nullopt;
  const Block& block = blocks_[found->second];
  // The ids are compared because hashes may collide.
  if (block.before != before || !std::ranges::equal(block.tokens, tokens)) return std::nullopt;
  hold(found->second);
  return found->second;
}

void BlockPool::publish(int32_t id, Chain before, std::span<const TokenId> tokens) {
  Block& block = blocks_[id];
  HEARTH_CHECK(block.holders > 0 && !block.published && tokens.size() == kBlockTokens);
  const Chain chain = extend(before, tokens);
  if (!published_.emplace(chain, id).second) return;
  block.published = true;
  block.before = before;
  block.chain = chain;
  block.tokens.assign(tokens.begin(), tokens.end());
}

void BlockPool::release(int32_t id) {
  Block& block = blocks_[id];
  HEARTH_CHECK(block.holders > 0);
  if (--block.holders > 0) return;
  --used_;
  if (block.published) {
    block.unheld_at = unheld_.insert(unheld_.end(), id);
  } else {
    blank_.push_back(id);
  }
}

}  // namespace hearth
