// Blocks of rows meet spans of keys: a block's scores, probabilities and sums stay in the second-level cache.
#include <algorithm>
#include <limits>

#include "runtime/kernels/attention_bf16.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int kBlockRows = 64;  // queries
constexpr int kSpanKeys = 384;  // 24 panels, a multiple of the three that pass together

thread_local Scratch key_scratch, block_scratch, operand_scratch;

// Keys and values of one kv head as second operands.
struct Keys {
  const uint16_t *k, *v;  // [panels of keys][depth] and [panels of head_dim][blocks of keys]
  int64_t keys, depth;    // depth: of head_dim, in blocks of 32
};

Keys lay_out_keys(const AttentionTile& t, Isa isa) {
  const int64_t keys = int64_t{t.first_position} + 1, depth = blocks_of(t.head_dim);
  auto* k = key_scratch.of<uint16_t>((tiles_of(keys) + 2 * blocks_of(keys)) * depth * kTileElements);
  uint16_t* v = k + tiles_of(keys) * depth * kTileElements;
  lay_out_bf16_rows({static_cast<const float*>(t.kv.keys), t.kv.stride, keys, t.head_dim}, k, isa);
  lay_out_bf16_columns({static_cast<const float*>(t.kv.values), t.kv.stride, keys, t.head_dim}, v, isa);
  return {k, v, keys, depth};
}

// Rows [row, row + rows) of one head.
void pass_block(const AttentionTile& t, const Keys& keys, int head, int row, int rows, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  const int64_t width = padded_width(t.head_dim), at = row * t.stride + int64_t{head} * t.head_dim;
  float* scores = block_scratch.of<float>(kBlockRows * (kSpanKeys + width + 2));
  float *sums = scores + kBlockRows * kSpanKeys, *tops = sums + kBlockRows * width, *weights = tops + kBlockRows;
  auto* q = operand_scratch.of<uint16_t>(kBlockRows * (keys.depth * kTileDepth + kSpanKeys));
  uint16_t* p = q + kBlockRows * keys.depth * kTileDepth;
  lay_out_bf16({t.q + at, t.stride, rows, t.head_dim}, 0, tiles_of(rows), q, isa);
  std::fill_n(tops, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(weights, rows, 0.f);

  const int64_t key_panel = keys.depth * kTileElements, value_panel = blocks_of(keys.keys) * kTileElements;
  for (int64_t key = 0; key < keys.keys; key += kSpanKeys) {
    const int64_t count = std::min<int64_t>(kSpanKeys, keys.keys - key), blocks = blocks_of(count);
    kernels.multiply_bf16({{q, key_panel, keys.k + key / kTileOutputs * key_panel, key_panel, keys.depth},
                           scores,
                           kSpanKeys,
                           rows,
                           tiles_of(count) * kTileOutputs,
                           true});
    attention_kernels(isa).soften(
        {scores, kSpanKeys, rows, static_cast<int>(count), t.scale, tops, weights, sums, width});
    lay_out_bf16({scores, kSpanKeys, rows, blocks * kTileDepth}, 0, tiles_of(rows), p, isa);
    kernels.multiply_bf16({{p, blocks * kTileElements, keys.v + key / kTileDepth * kTileElements, value_panel, blocks},
                           sums,
                           width,
                           rows,
                           t.head_dim,
                           key == 0});
  }
  for (int r = 0; r < rows; ++r) {
    const float share = 1.f / weights[r];
    for (int i = 0; i < t.head_dim; ++i) t.y[at + r * t.stride + i] = sums[r * width + i] * share;
    if (t.log_sums) t.log_sums[(row + r) * t.log_sums_stride + head] = tops[r] + __builtin_logf(weights[r]);
  }
}

}  // namespace

void attend_bf16(const AttentionTile& t, Isa isa) {
  const Keys keys = lay_out_keys(t, isa);
  for (int head = 0; head < t.group; ++head)
    for (int row = 0; row < t.rows; row += kBlockRows)
      pass_block(t, keys, head, row, std::min(kBlockRows, t.rows - row), isa);
}

}  // namespace hearth::kernels
