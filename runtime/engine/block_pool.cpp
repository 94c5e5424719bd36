#include "runtime/engine/block_pool.h"

#include <algorithm>

#include "runtime/base/error.h"

namespace hearth {

size_t BlockPool::KeyHash::operator()(const Key& key) const {
  // FNV-1a over words, then a multiply-shift so that the low bits depend on every token.
  uint64_t h = 0xcbf29ce484222325u ^ key.before;
  for (const TokenId token : key.tokens) h = (h ^ static_cast<uint32_t>(token)) * 0x100000001b3u;
  return (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u >> 8;
}

BlockPool::Key BlockPool::make_key(ContentId before, std::span<const TokenId> tokens) {
  HEARTH_CHECK(tokens.size() == kBlockTokens);
  Key key{before, {}};
  std::copy(tokens.begin(), tokens.end(), key.tokens.begin());
  return key;
}

BlockPool::BlockPool(int num_blocks) : blocks_(num_blocks) {
  index_.reserve(num_blocks);
  for (int32_t id = 0; id < num_blocks; ++id) {
    blocks_[id].entry = index_.end();
    empty_.push(id);
  }
}

BlockPool::Prefix BlockPool::match(std::span<const TokenId> tokens, ContentId before) const {
  Prefix prefix{{}, before};
  for (size_t begin = 0; begin + kBlockTokens <= tokens.size(); begin += kBlockTokens) {
    const auto found = index_.find(make_key(prefix.content, tokens.subspan(begin, kBlockTokens)));
    if (found == index_.end()) break;
    prefix.blocks.push_back(found->second.block);
    prefix.content = found->second.content;
  }
  return prefix;
}

void BlockPool::hold(int32_t block) {
  Block& b = blocks_[block];
  if (b.holders == 0) {
    HEARTH_CHECK(b.entry != index_.end());  // an empty block has nothing to hold on to
    cached_.erase(b.in_cached);
  }
  ++b.holders;
}

int32_t BlockPool::allocate() {
  HEARTH_CHECK(available() > 0);
  int32_t id;
  if (!empty_.empty()) {
    id = empty_.top();
    empty_.pop();
  } else {
    id = cached_.front();
    cached_.pop_front();
    index_.erase(blocks_[id].entry);
    blocks_[id].entry = index_.end();
  }
  blocks_[id].holders = 1;
  return id;
}

BlockPool::ContentId BlockPool::publish(int32_t block, ContentId before, std::span<const TokenId> tokens) {
  Block& b = blocks_[block];
  HEARTH_CHECK(b.holders > 0 && b.entry == index_.end());
  const auto [entry, is_new] = index_.try_emplace(make_key(before, tokens), Found{block, last_content_ + 1});
  if (is_new) {
    ++last_content_;
    b.entry = entry;
  }
  return entry->second.content;
}

void BlockPool::forget(int32_t block) {
  Block& b = blocks_[block];
  HEARTH_CHECK(b.holders > 0);
  if (b.entry == index_.end()) return;
  index_.erase(b.entry);
  b.entry = index_.end();
}

void BlockPool::release(BlockTable& table) {
  for (auto id = table.rbegin(); id != table.rend(); ++id) {
    Block& b = blocks_[*id];
    HEARTH_CHECK(b.holders > 0);
    if (--b.holders > 0) continue;
    if (b.entry == index_.end())
      empty_.push(*id);
    else
      b.in_cached = cached_.insert(cached_.end(), *id);
  }
  table.clear();
}

}  // namespace hearth
