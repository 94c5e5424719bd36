#include "runtime/kernels/attention.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/attention_bf16.h"
#include "runtime/kernels/attention_kernels.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int kTilePairs = 96;             // scores, queries and sums of so many stay in the second-level cache
constexpr int64_t kBf16Rows = 1024;        // for which keys are laid out once
constexpr int64_t kSerialWork = 64 << 10;  // multiply-adds below which waking threads costs more

thread_local Scratch tile_scratch;

// Rows of one segment for one kv head.
struct Item {
  const AttentionSegment* segment;
  int64_t first_key;  // of the segment's sequence, as a row of k and v
  int64_t row;        // of the batch
  int rows, kv_head;
};

int tile_rows(const AttentionShape& shape) { return std::max(1, kTilePairs / (shape.num_heads / shape.num_kv_heads)); }

// Later rows see more keys and come first, so that threads end together. `rows` of 0: whole segments.
std::vector<Item> cut(const AttentionShape& shape, std::span<const AttentionSegment> segments, int64_t rows) {
  std::vector<Item> items;
  int64_t first_key = 0;
  for (const AttentionSegment& s : segments) {
    const int64_t step = rows > 0 ? rows : std::max<int64_t>(s.end - s.begin, 1);
    const int64_t tiles = (s.end - s.begin + step - 1) / step;
    for (int64_t tile = tiles; tile-- > 0;) {
      const int64_t row = s.begin + tile * step;
      for (int h = 0; h < shape.num_kv_heads; ++h)
        items.push_back({&s, first_key, row, static_cast<int>(std::min(step, s.end - row)), h});
    }
    first_key += s.past + s.end - s.begin;
  }
  return items;
}

int64_t work(const AttentionShape& shape, std::span<const AttentionSegment> segments) {
  int64_t pairs = 0;
  for (const AttentionSegment& s : segments) {
    const int64_t tokens = s.past + s.end - s.begin;
    pairs += (s.end - s.begin) * std::min(tokens, shape.window > 0 ? int64_t{shape.window} : tokens);
  }
  return pairs * shape.num_heads * shape.head_dim;
}

// Items go to whichever thread is free: none shares a result with another.
template <class Fn>
void for_items(const std::vector<Item>& items, int64_t multiply_adds, Fn fn) {
  const auto count = static_cast<int64_t>(items.size());
  if (count <= 1 || multiply_adds < kSerialWork || num_threads() == 1) {
    for (const Item& item : items) fn(item);
    return;
  }
  std::atomic<int64_t> next = 0;
  on_threads(num_threads(), [&](int64_t, int64_t) {
    for (int64_t i = next++; i < count; i = next++) fn(items[i]);
  });
}

// 0 where the window hides none of `keys` keys.
int window_within(const AttentionShape& shape, int keys) { return shape.window < keys ? shape.window : 0; }

// Without its kv.
AttentionTile tile_of(const AttentionShape& shape, const Item& item, const float* q, float* y) {
  AttentionTile tile = {};
  tile.group = shape.num_heads / shape.num_kv_heads;
  tile.stride = int64_t{shape.num_heads} * shape.head_dim;
  const int64_t offset = item.row * tile.stride + int64_t{item.kv_head} * tile.group * shape.head_dim;
  tile.q = q + offset;
  tile.y = y + offset;
  tile.rows = item.rows;
  tile.head_dim = shape.head_dim;
  tile.scale = shape.scale;
  tile.softcap = shape.softcap;
  const AttentionSegment& s = *item.segment;
  tile.first_position = s.past + static_cast<int>((shape.causal ? item.row : s.end - 1) - s.begin);
  tile.window = window_within(shape, tile.first_position + item.rows);
  tile.causal = shape.causal;
  return tile;
}

void attend_f32(AttentionTile tile, Isa isa) {
  tile.transpose = matmul_kernels(isa).transpose;
  tile.scratch = tile_scratch.of<float>(attend_scratch(int64_t{tile.rows} * tile.group, tile.head_dim));
  attention_kernels(isa).attend(tile);
}

}  // namespace

const AttentionKernels& attention_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_attention_kernels();
    case Isa::kAvx2:
      return avx2_attention_kernels();
    case Isa::kAvx512:
    case Isa::kAmx:
      return avx512_attention_kernels();
  }
  throw internal_error("attention has no kernels for this instruction set");
}

void append(const AttentionShape& shape, const float* k, const float* v, std::span<const AttentionSegment> segments,
            const CacheView& cache, Isa isa) {
  struct Run {  // tokens of one block
    int64_t row;
    int count, slot, block;
  };
  std::vector<Run> runs;
  for (const AttentionSegment& s : segments) {
    for (int64_t row = s.begin; row < s.end;) {
      const int position = s.past + static_cast<int>(row - s.begin), slot = position % kBlockTokens;
      const int count = static_cast<int>(std::min<int64_t>(kBlockTokens - slot, s.end - row));
      runs.push_back({row, count, slot, s.blocks[position / kBlockTokens]});
      row += count;
    }
  }
  constexpr int64_t kGrain = 8;
  parallel_for(static_cast<int64_t>(runs.size()), kGrain, [&](int64_t begin, int64_t end) {
    float* scratch = tile_scratch.of<float>(int64_t{kBlockTokens} * shape.head_dim);
    const int64_t stride = int64_t{shape.num_kv_heads} * shape.head_dim;
    for (int64_t i = begin; i < end; ++i) {
      const Run& run = runs[i];
      for (int h = 0; h < shape.num_kv_heads; ++h) {
        const int64_t from = run.row * stride + int64_t{h} * shape.head_dim;
        const size_t to = run.block * cache.block_bytes + h * cache.head_bytes;
        attention_kernels(isa).write_block({k + from, v + from, stride, run.count, run.slot, shape.head_dim,
                                            cache.keys + to, cache.values + to, cache.is_f16,
                                            matmul_kernels(isa).transpose, scratch});
      }
    }
  });
}

void attend_cached(const AttentionShape& shape, const float* q, std::span<const AttentionSegment> segments,
                   const CacheView& cache, float* y, Isa isa) {
  const auto source = cache.is_f16 ? KeyValues::Source::kF16Blocks : KeyValues::Source::kF32Blocks;
  for_items(cut(shape, segments, tile_rows(shape)), work(shape, segments), [&](const Item& item) {
    AttentionTile tile = tile_of(shape, item, q, y);
    const size_t head = item.kv_head * cache.head_bytes;
    tile.kv = {source, cache.keys + head, cache.values + head, 0, item.segment->blocks, cache.block_bytes};
    attend_f32(tile, isa);
  });
}

void attend(const AttentionShape& shape, const float* q, const float* k, const float* v,
            std::span<const AttentionSegment> segments, float* y, float* log_sums, Isa isa) {
  const int64_t kv_stride = int64_t{shape.num_kv_heads} * shape.head_dim;
  const bool in_bf16 = shape.in_bf16 && !shape.causal && shape.softcap == 0;
  const int64_t rows = in_bf16 ? kBf16Rows : tile_rows(shape);
  for_items(cut(shape, segments, rows), work(shape, segments), [&](const Item& item) {
    AttentionTile tile = tile_of(shape, item, q, y);
    const int64_t head = item.first_key * kv_stride + int64_t{item.kv_head} * shape.head_dim;
    tile.kv = {KeyValues::Source::kRows, k + head, v + head, kv_stride, nullptr, 0};
    tile.log_sums_stride = shape.num_heads;
    if (log_sums) tile.log_sums = log_sums + item.row * shape.num_heads + item.kv_head * tile.group;
    in_bf16 ? attend_bf16(tile, isa) : attend_f32(tile, isa);
  });
}

void attend_backward(const AttentionShape& shape, const AttentionGradient& g,
                     std::span<const AttentionSegment> segments, Isa isa) {
  const int group = shape.num_heads / shape.num_kv_heads;
  const int64_t stride = int64_t{shape.num_heads} * shape.head_dim;
  const int64_t kv_stride = int64_t{shape.num_kv_heads} * shape.head_dim;
  for_items(cut(shape, segments, 0), work(shape, segments), [&](const Item& item) {
    const int64_t at = item.row * stride + int64_t{item.kv_head} * group * shape.head_dim;
    const int64_t kv = item.first_key * kv_stride + int64_t{item.kv_head} * shape.head_dim;
    AttentionGradientTile tile = {};
    tile.q = g.q + at;
    tile.k = g.k + kv;
    tile.v = g.v + kv;
    tile.y = g.y + at;
    tile.dy = g.dy + at;
    tile.log_sums = g.log_sums + item.row * shape.num_heads + item.kv_head * group;
    tile.dq = g.dq.from(at);
    tile.dk = g.dk.from(kv);
    tile.dv = g.dv.from(kv);
    tile.stride = stride;
    tile.kv_stride = kv_stride;
    tile.log_sums_stride = shape.num_heads;
    tile.rows = item.rows;
    tile.past = item.segment->past;
    tile.group = group;
    tile.head_dim = shape.head_dim;
    tile.scale = shape.scale;
    tile.softcap = shape.softcap;
    tile.window = window_within(shape, tile.past + tile.rows);
    tile.causal = shape.causal;
    if (g.in_bf16 && shape.softcap == 0) return attend_backward_bf16(tile, isa);
    tile.tile_rows = std::min(item.rows, tile_rows(shape));
    tile.transpose = matmul_kernels(isa).transpose;
    tile.scratch = tile_scratch.of<float>(attend_backward_scratch(int64_t{tile.tile_rows} * group, shape.head_dim));
    attention_kernels(isa).attend_backward(tile);
  });
}

}  // namespace hearth::kernels
