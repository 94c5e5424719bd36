// The attention op's contract: segments, blocks and the tape. Its arithmetic is tested in tests/runtime/kernels.
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/ops/ops.h"
#include "tests/support/expect_internal.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

constexpr ops::AttentionSpec kSpec{4, 2, 16, 0.25f};

struct Inputs {
  explicit Inputs(int64_t rows)
      : q(random_tensor({rows, 64}, 1)), k(random_tensor({rows, 32}, 2)), v(random_tensor({rows, 32}, 3)) {}
  Tensor q, k, v;
};

Batch batch_of(std::initializer_list<Segment> segments, KvCache* cache) {
  Batch batch;
  batch.segments = segments;
  batch.cache = cache;
  batch.token_ids.resize(batch.segments.back().end);
  batch.positions.resize(batch.segments.back().end);
  return batch;
}

void expect_internal(const Inputs& in, const Batch& batch, const std::string& text, int layer = 0,
                     const ops::AttentionSpec& spec = kSpec) {
  hearth::expect_internal([&] { ops::attention(in.q, in.k, in.v, batch, layer, spec); }, text);
}

Tensor rows_of(const Tensor& x, int64_t begin, int64_t end) {
  Tensor y({end - begin, x.dim(-1)});
  std::memcpy(y.data(), x.row(begin), y.size() * sizeof(float));
  return y;
}

TEST(AttentionOp, WholePrefillChunkedPrefillAndDecodeGiveTheSameBits) {
  const Inputs in(50);
  for (const KvFormat format : {KvFormat::kF16, KvFormat::kF32}) {
    KvCache cache({2, 2, 16}, 9, format);
    const BlockTable whole_blocks = {8, 1, 3, 0}, chunk_blocks = {2, 7, 4, 5};
    const Tensor whole = ops::attention(in.q, in.k, in.v, batch_of({{0, 50, 0, 0, &whole_blocks}}, &cache), 1, kSpec);
    const int cuts[] = {0, 20, 21, 22, 40, 41, 50};
    for (size_t i = 0; i + 1 < std::size(cuts); ++i) {
      const int begin = cuts[i], end = cuts[i + 1];
      const Tensor y = ops::attention(rows_of(in.q, begin, end), rows_of(in.k, begin, end), rows_of(in.v, begin, end),
                                      batch_of({{0, end - begin, begin, 0, &chunk_blocks}}, &cache), 1, kSpec);
      EXPECT_EQ(0, std::memcmp(y.data(), whole.row(begin), y.size() * sizeof(float))) << begin;
    }
  }
}

TEST(AttentionOp, SegmentsDoNotSeeEachOther) {
  const Inputs in(30);
  const Tensor both = ops::attention(in.q, in.k, in.v, batch_of({{0, 12}, {12, 30}}, nullptr), 0, kSpec);
  const Tensor second = ops::attention(rows_of(in.q, 12, 30), rows_of(in.k, 12, 30), rows_of(in.v, 12, 30),
                                       batch_of({{0, 18}}, nullptr), 0, kSpec);
  EXPECT_EQ(0, std::memcmp(second.data(), both.row(12), second.size() * sizeof(float)));
}

constexpr ops::AttentionSpec kBothWays{4, 2, 16, 0.25f, 0, 0, false};

// The last row of a causal segment sees all of it; the others see as much once they stand last.
TEST(AttentionOp, NotCausalEachRowSeesAllOfItsSegment) {
  const Inputs in(30);
  const Tensor y = ops::attention(in.q, in.k, in.v, batch_of({{0, 12}, {12, 30}}, nullptr), 0, kBothWays);
  for (int row = 0; row < 30; ++row) {
    const int begin = row < 12 ? 0 : 12, end = row < 12 ? 12 : 30;
    Tensor q = rows_of(in.q, begin, end);
    std::memcpy(q.row(end - begin - 1), in.q.row(row), 64 * sizeof(float));
    const Tensor expected = ops::attention(q, rows_of(in.k, begin, end), rows_of(in.v, begin, end),
                                           batch_of({{0, end - begin}}, nullptr), 0, kSpec);
    EXPECT_EQ(0, std::memcmp(y.row(row), expected.row(end - begin - 1), 64 * sizeof(float))) << row;
  }
}

TEST(AttentionOp, CrossAttentionToItsOwnRowsIsAttention) {
  const Inputs in(30);
  const ops::CrossSegment segments[] = {{0, 12, 0, 12}, {12, 30, 12, 30}};
  const Tensor y = ops::cross_attention(in.q, in.k, in.v, segments, kBothWays);
  const Tensor expected = ops::attention(in.q, in.k, in.v, batch_of({{0, 12}, {12, 30}}, nullptr), 0, kBothWays);
  EXPECT_EQ(0, std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)));
}

TEST(AttentionOp, CrossAttentionOfFewerOrMoreRowsThanKeys) {
  const Inputs in(30);
  const Tensor whole = ops::attention(in.q, in.k, in.v, batch_of({{0, 30}}, nullptr), 0, kBothWays);
  const ops::CrossSegment fewer[] = {{0, 7, 0, 30}};
  const Tensor y = ops::cross_attention(rows_of(in.q, 0, 7), in.k, in.v, fewer, kBothWays);
  EXPECT_EQ(0, std::memcmp(y.data(), whole.data(), y.size() * sizeof(float)));
  const ops::CrossSegment one_key[] = {{0, 30, 0, 1}};
  const Tensor only = ops::cross_attention(in.q, rows_of(in.k, 0, 1), rows_of(in.v, 0, 1), one_key, kBothWays);
  for (int row = 0; row < 30; ++row) {
    for (int i = 0; i < 64; ++i) EXPECT_FLOAT_EQ(only.row(row)[i], in.v.row(0)[i / 32 * 16 + i % 16]);
  }
}

TEST(AttentionOp, CrossAttentionRefusesSegmentsThatDoNotCoverRowsAndKeys) {
  const Inputs in(4);
  const auto refused = [&](std::vector<ops::CrossSegment> segments, const std::string& text,
                           const ops::AttentionSpec& spec = kBothWays) {
    hearth::expect_internal([&] { ops::cross_attention(in.q, in.k, in.v, segments, spec); }, text);
  };
  refused({{0, 4, 0, 3}}, "segments cover 4 of 4 rows and 3 of 4 keys");
  refused({}, "segments cover 0 of 4 rows");
  refused({{0, 2, 0, 2}, {3, 4, 2, 4}}, "must be some rows from 2 on to some keys from 2 on");
  refused({{0, 4, 0, 0}}, "rows [0, 4) to keys [0, 0)");
  refused({{0, 4, 0, 4}}, "never causal", kSpec);
}

TEST(AttentionOp, NotCausalRefusesACacheAWindowAndAPast) {
  KvCache cache({1, 2, 16}, 1, KvFormat::kF16);
  const BlockTable blocks = {0};
  expect_internal(Inputs(3), batch_of({{0, 3, 0, 0, &blocks}}, &cache), "a cache or a past", 0, kBothWays);
  expect_internal(Inputs(6), batch_of({{0, 4}, {4, 6, 2}}, nullptr), "a cache or a past", 0, kBothWays);
  expect_internal(Inputs(3), batch_of({{0, 3}}, nullptr), "a window of 2", 0, {4, 2, 16, 0.25f, 2, 0, false});
}

TEST(AttentionOp, RefusesToRecordAcrossACache) {
  KvCache cache({1, 2, 16}, 1, KvFormat::kF16);
  const BlockTable blocks = {0};
  Tape tape;
  const Tape::Recording on(tape);
  expect_internal(Inputs(3), batch_of({{0, 3, 0, 0, &blocks}}, &cache), "gradients do not cross a KV cache");
}

TEST(AttentionOp, RefusesBlocksThatAreNotThere) {
  KvCache cache({1, 2, 16}, 2, KvFormat::kF16);
  const BlockTable one = {0}, outside = {2};
  expect_internal(Inputs(3), batch_of({{0, 3, 0, 0, nullptr}}, &cache), "0 blocks for 3 tokens");
  expect_internal(Inputs(3), batch_of({{0, 3, 14, 0, &one}}, &cache), "1 blocks for 17 tokens, must be 2");
  expect_internal(Inputs(3), batch_of({{0, 3, 0, 0, &outside}}, &cache), "block 2 of a cache of 2");
  expect_internal(Inputs(3), batch_of({{0, 3, 0, 0, &one}}, &cache), "layer 1 of a cache of 1", 1);
}

TEST(AttentionOp, RefusesSegmentsThatDoNotCoverTheRows) {
  expect_internal(Inputs(4), batch_of({{0, 3}}, nullptr), "segments cover 3 of 4 rows");
  expect_internal(Inputs(4), batch_of({{0, 1}, {2, 4}}, nullptr), "must begin at row 1");
}

TEST(AttentionOp, RefusesAPastThatIsNotTheFirstRowsOfAnEarlierSegment) {
  const auto refused = [](std::initializer_list<Segment> segments) {
    const Segment& s = std::data(segments)[segments.size() - 1];
    expect_internal(Inputs(s.end), batch_of(segments, nullptr),
                    fmt::format("a segment of rows [{}, {}) after rows [{}, {}), which must be the first of an earlier "
                                "segment without a past",
                                s.begin, s.end, s.past_begin, s.past_begin + s.past));
  };
  refused({{0, 4, 2}});
  refused({{0, 4}, {4, 6, 5}});
  refused({{0, 4}, {4, 6, 2, 1}});
  refused({{0, 4}, {4, 6, 2, -1}});
  refused({{0, 4}, {4, 6, 2, 4}});
  refused({{0, 4}, {4, 6, 2}, {6, 8, 1, 4}});
  refused({{0, 4}, {4, 6}, {6, 8, 3, 4}});
}

TEST(AttentionOp, RefusesOtherShapes) {
  const Batch batch = batch_of({{0, 3}}, nullptr);
  expect_internal(Inputs(3), batch, "head_dim is 12", 0, {4, 2, 12, 1.0f});
  expect_internal(Inputs(3), batch, "window -1 and softcap 0", 0, {4, 2, 16, 1.0f, -1});
  expect_internal(Inputs(3), batch, "window 0 and softcap -2", 0, {4, 2, 16, 1.0f, 0, -2.0f});
  expect_internal(Inputs(3), batch, "num_heads is 3", 0, {3, 2, 16, 1.0f});
  expect_internal(Inputs(3), batch, "q is [3, 64], must be [tokens, 128]", 0, {8, 2, 16, 1.0f});
  expect_internal(Inputs(3), batch, "k and v are [3, 32] and [3, 32], must be [3, 64]", 0, {4, 4, 16, 1.0f});
}

TEST(KvCache, RefusesSizesThatCannotBe) {
  EXPECT_THROW(KvCache({0, 1, 8}, 1, KvFormat::kF16), Error);
  EXPECT_THROW(KvCache({1 << 30, 1 << 30, 1 << 30}, 1 << 30, KvFormat::kF16), Error);
}

TEST(KvCache, LaysBlocksOutWithoutOverlap) {
  KvCache cache({2, 3, 8}, 4, KvFormat::kF32);
  const size_t bytes = cache.block_elements() * cache.element_bytes();
  EXPECT_EQ(bytes, 3u * 8 * 16 * 4);
  EXPECT_EQ(cache.values(1, 2), cache.keys(1, 2) + bytes);
  EXPECT_EQ(cache.keys(1, 3), cache.values(1, 2) + bytes);
  EXPECT_EQ(cache.keys(1, 0), cache.values(0, 3) + bytes);
  std::memset(cache.values(1, 3), 1, bytes);
}

}  // namespace
}  // namespace hearth
