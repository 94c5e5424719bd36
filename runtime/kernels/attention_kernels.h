// The inner loops of attention, one table per instruction set; attention.cpp cuts the work and calls them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/cpu.h"
#include "runtime/kernels/gradient_sum.h"

namespace hearth::kernels {

inline constexpr int kBlockTokens = 16;  // of a cache's block
inline constexpr int kSpanBlocks = 4;    // blocks that pass together
inline constexpr int kSpanTokens = kBlockTokens * kSpanBlocks;

// in [16][n], rows `stride` floats apart -> out [n][16]
using Transpose = void (*)(const float* in, int64_t stride, int64_t n, float* out);

// Where one sequence's keys and values for one kv head are.
struct KeyValues {
  enum class Source { kF16Blocks, kF32Blocks, kRows } source;
  // kRows: token j's key is keys + j * stride floats. Blocks: blocks[j / 16] block_bytes into keys and values.
  const void* keys;
  const void* values;
  int64_t stride;
  const int32_t* blocks;
  size_t block_bytes;
};

// Rows of one segment and the heads that share a kv head. A (row, head) is a pair: pair = row * group + head.
struct AttentionTile {
  KeyValues kv;
  const float* q;  // first row and head; the group's heads are head_dim apart
  float* y;
  int64_t stride;  // floats from row to row of q and y
  int rows, group, head_dim;
  float scale, softcap;
  int first_position;  // row r sees the keys up to position first_position + r, or all up to it where not causal
  int window;          // so many of them, the last ones; 0: all
  bool causal;
  float* log_sums;  // of the first row and head, or null
  int64_t log_sums_stride;
  Transpose transpose;
  float* scratch;  // attend_scratch() floats
};

// All rows of one segment and the heads that share a kv head. k, v, dk and dv have `past` rows more, which come first;
// where not causal it may be below 0.
struct AttentionGradientTile {
  const float *q, *k, *v, *y, *dy, *log_sums;
  GradientSum dq, dk, dv;
  int64_t stride, kv_stride, log_sums_stride;
  int rows, past, group, head_dim;
  float scale, softcap;
  int window;  // as in AttentionTile
  bool causal;
  int tile_rows;  // of q, at a time
  Transpose transpose;
  float* scratch;  // attend_backward_scratch() floats
};

// A square of scores, kSpanTokens keys (a line each) by as many rows; what no row sees becomes 0.
struct ScoreSquare {
  float* scores;          // q k^T -> probabilities
  float* slopes;          // dy v^T -> scale * the gradient of the scores
  const float* log_sums;  // [kSpanTokens], of the rows
  const float* dots;      // [kSpanTokens], sum(dy * y) of the rows
  int key, row;           // the first ones; row 0's own key is key 0, those of the past are below
  int rows;               // of the segment; rows from here on, and their numbers above, count for nothing
  int window;             // as in AttentionTile
  bool causal;
  float scale;
};

// Scores of some rows with a span of keys, and what the rows have of the spans before, which is brought to the new top.
struct ScoreRows {
  float* scores;  // [rows][stride]: q k^T -> exp(scale * score - top), 0 from `keys` on up to a multiple of 32
  int64_t stride;
  int rows, keys;
  float scale;
  float* tops;     // [rows], the largest scaled score so far
  float* weights;  // [rows], the sum of exp(score - top)
  float* sums;     // [rows][width], of exp(score - top) * value
  int64_t width;   // a multiple of 16
};

struct BlockWrite {
  const float *k, *v;  // of the first token
  int64_t stride;
  int count, first_slot, head_dim;
  void *keys, *values;
  bool is_f16;
  Transpose transpose;
  float* scratch;  // 16 * head_dim floats
};

struct AttentionKernels {
  void (*attend)(const AttentionTile& tile);
  void (*attend_backward)(const AttentionGradientTile& tile);
  void (*differentiate)(const ScoreSquare& square);
  void (*soften)(const ScoreRows& rows);
  void (*write_block)(const BlockWrite& write);
};

inline constexpr int64_t padded_width(int head_dim) { return (head_dim + 15) / 16 * 16; }

// Floats of scratch for `pairs` pairs.
inline constexpr int64_t attend_scratch(int64_t pairs, int head_dim) {
  return pairs * (head_dim + padded_width(head_dim) + kSpanTokens + 16 + 16) +
         kSpanTokens * (16 + padded_width(head_dim));
}
inline constexpr int64_t attend_backward_scratch(int64_t pairs, int head_dim) {
  return pairs * (3 * padded_width(head_dim) + 2 * kSpanTokens + 16) + 5 * kSpanTokens * padded_width(head_dim);
}

const AttentionKernels& attention_kernels(Isa isa);

const AttentionKernels& scalar_attention_kernels();
const AttentionKernels& avx2_attention_kernels();
const AttentionKernels& avx512_attention_kernels();

}  // namespace hearth::kernels
