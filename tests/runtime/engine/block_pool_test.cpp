// The pool against a naive model that keeps whole prefixes and searches them one by one.
#include "runtime/engine/block_pool.h"

#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/random.h"

namespace hearth {
namespace {

using Tokens = std::vector<TokenId>;

Tokens block_of(TokenId fill) { return Tokens(kBlockTokens, fill); }

// A table of `count` new blocks, published as a prefix of `tokens`.
BlockTable add_prefix(BlockPool& pool, const Tokens& tokens) {
  BlockTable table;
  BlockPool::ContentId content = BlockPool::kNoContent;
  for (size_t begin = 0; begin < tokens.size(); begin += kBlockTokens) {
    table.push_back(pool.allocate());
    content = pool.publish(table.back(), content, std::span(tokens).subspan(begin, kBlockTokens));
  }
  return table;
}

Tokens prefix_of(std::initializer_list<TokenId> fills) {
  Tokens tokens;
  for (const TokenId fill : fills) tokens.insert(tokens.end(), kBlockTokens, fill);
  return tokens;
}

TEST(BlockPool, HandsOutTheLowestEmptyBlock) {
  BlockPool pool(4);
  BlockTable a{pool.allocate()}, b{pool.allocate(), pool.allocate()};
  EXPECT_EQ(a, (BlockTable{0}));
  EXPECT_EQ(b, (BlockTable{1, 2}));
  pool.release(b);
  pool.release(a);
  EXPECT_EQ(pool.allocate(), 0);
  EXPECT_EQ(pool.allocate(), 1);
}

TEST(BlockPool, FindsAReleasedPrefixUntilItsBlocksAreNeeded) {
  BlockPool pool(3);
  const Tokens tokens = prefix_of({1, 2, 3});
  BlockTable table = add_prefix(pool, tokens);
  pool.release(table);
  EXPECT_EQ(pool.available(), 3);
  EXPECT_EQ(pool.match(tokens).blocks, (BlockTable{0, 1, 2}));
  EXPECT_EQ(pool.allocate(), 2) << "the end of a prefix goes first";
  EXPECT_EQ(pool.match(tokens).blocks, (BlockTable{0, 1}));
}

TEST(BlockPool, EvictsTheLeastRecentlyReleasedPrefixFirst) {
  BlockPool pool(2);
  BlockTable a = add_prefix(pool, block_of(1)), b = add_prefix(pool, block_of(2));
  pool.release(b);
  pool.release(a);
  pool.allocate();
  EXPECT_TRUE(pool.match(block_of(2)).blocks.empty());
  EXPECT_EQ(pool.match(block_of(1)).blocks.size(), 1u);
}

TEST(BlockPool, DoesNotFindABlockAfterAnotherPrefix) {
  BlockPool pool(4);
  add_prefix(pool, prefix_of({1, 2}));
  EXPECT_TRUE(pool.match(block_of(2)).blocks.empty());
  EXPECT_TRUE(pool.match(prefix_of({3, 2})).blocks.empty());
  EXPECT_EQ(pool.match(prefix_of({1, 3})).blocks.size(), 1u);
}

TEST(BlockPool, KeepsTheFirstOfEqualBlocks) {
  BlockPool pool(4);
  const BlockTable first = add_prefix(pool, block_of(1));
  BlockTable second = add_prefix(pool, prefix_of({1, 2}));
  EXPECT_EQ(pool.match(prefix_of({1, 2})).blocks, (BlockTable{first[0], second[1]}));
}

TEST(BlockPool, NeverFindsWhatWasForgotten) {
  BlockPool pool(4);
  BlockTable table = add_prefix(pool, prefix_of({1, 2}));
  pool.forget(table[0]);
  EXPECT_TRUE(pool.match(prefix_of({1, 2})).blocks.empty());
  BlockTable again = add_prefix(pool, block_of(1));
  EXPECT_EQ(pool.match(prefix_of({1, 2})).blocks, again) << "block 2 followed the forgotten content";
}

TEST(BlockPool, RefusesMisuse) {
  BlockPool pool(1);
  EXPECT_THROW(pool.hold(0), Error);
  BlockTable table{pool.allocate()};
  EXPECT_THROW(pool.allocate(), Error);
  EXPECT_THROW(pool.publish(0, BlockPool::kNoContent, Tokens(3)), Error);
  pool.release(table);
  EXPECT_THROW(pool.publish(0, BlockPool::kNoContent, block_of(1)), Error);
}

// Holders, whole prefixes and the order of release, searched from end to end.
class NaivePool {
 public:
  explicit NaivePool(int blocks) : blocks_(blocks) {}

  int available() const {
    return static_cast<int>(std::ranges::count_if(blocks_, [](const Block& b) { return b.holders == 0; }));
  }
  BlockTable match(const Tokens& tokens) const {
    BlockTable found;
    for (size_t end = kBlockTokens; end <= tokens.size(); end += kBlockTokens) {
      const auto it = std::ranges::find(blocks_, Tokens(tokens.begin(), tokens.begin() + end), &Block::prefix);
      if (it == blocks_.end()) break;
      found.push_back(static_cast<int32_t>(it - blocks_.begin()));
    }
    return found;
  }
  void hold(int32_t id) { ++blocks_[id].holders; }
  int32_t allocate() {
    const auto worse = [](const Block& a, const Block& b) {
      if (a.holders != b.holders && (a.holders == 0 || b.holders == 0)) return a.holders == 0;
      if (a.prefix.empty() != b.prefix.empty()) return a.prefix.empty();
      return !a.prefix.empty() && a.released < b.released;
    };
    const auto it = std::ranges::min_element(blocks_, worse);
    *it = {1, {}, 0};
    return static_cast<int32_t>(it - blocks_.begin());
  }
  void publish(int32_t id, const Tokens& prefix) {
    if (std::ranges::find(blocks_, prefix, &Block::prefix) == blocks_.end()) blocks_[id].prefix = prefix;
  }
  void release(const BlockTable& table) {
    for (auto id = table.rbegin(); id != table.rend(); ++id)
      if (--blocks_[*id].holders == 0) blocks_[*id].released = ++clock_;
  }

 private:
  struct Block {
    int holders = 0;
    Tokens prefix;  // all tokens to the block's end; empty: not findable
    int released = 0;
  };
  std::vector<Block> blocks_;
  int clock_ = 0;
};

// Sequences over three token ids come, share what is cached, fill it up and go, so equal prefixes are common.
TEST(BlockPool, EqualsTheNaiveModelOverRandomOperations) {
  constexpr int kBlocks = 12;
  Random random(5);
  BlockPool pool(kBlocks);
  NaivePool naive(kBlocks);
  std::vector<BlockTable> held;
  for (int step = 0; step < 20000; ++step) {
    if (!held.empty() && random.below(2) == 0) {
      std::swap(held[random.below(held.size())], held.back());
      naive.release(held.back());
      pool.release(held.back());
      held.pop_back();
    } else {
      Tokens tokens;
      for (uint64_t i = 0, n = 1 + random.below(4); i < n; ++i)
        tokens.insert(tokens.end(), kBlockTokens, static_cast<TokenId>(random.below(3)));
      BlockPool::Prefix prefix = pool.match(tokens);
      ASSERT_EQ(prefix.blocks, naive.match(tokens));
      for (const int32_t id : prefix.blocks) {
        pool.hold(id);
        naive.hold(id);
      }
      BlockTable table = prefix.blocks;
      for (size_t end = (table.size() + 1) * kBlockTokens; end <= tokens.size() && pool.available() > 0;
           end += kBlockTokens) {
        table.push_back(pool.allocate());
        ASSERT_EQ(table.back(), naive.allocate());
        prefix.content =
            pool.publish(table.back(), prefix.content, std::span(tokens).subspan(end - kBlockTokens, kBlockTokens));
        naive.publish(table.back(), Tokens(tokens.begin(), tokens.begin() + end));
      }
      if (!table.empty()) held.push_back(table);
    }
    ASSERT_EQ(pool.available(), naive.available());
  }
}

}  // namespace
}  // namespace hearth
