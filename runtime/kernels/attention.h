// Attention of each segment's rows to its own sequence: blocked online softmax (arXiv 2205.14135, 2307.08691).
// Keys pass in spans of 64, the heads of a KV group together, so that a key or value is converted once for all of them.
// A row meets the spans in the same order with the same arithmetic whichever rows, chunks and segments share the call,
// so a prompt in chunks or one by one gives the same bits as the whole; every instruction set gives the same bits too.
// Spans wholly before a row's window are skipped. head_dim is a multiple of 8, at most 256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/base/cpu.h"
#include "runtime/kernels/gradient_sum.h"

namespace hearth::kernels {

struct AttentionShape {
  int num_heads, num_kv_heads, head_dim;
  float scale;
  int window = 0;     // keys a row sees, its own included; 0: all up to its own
  float softcap = 0;  // scores become softcap * tanh(score / softcap); 0: none
  // false: a row sees all keys of its segment, later ones too (encoders, vision towers); without window or cache.
  bool causal = true;
  // Products of numbers rounded to bf16, where attention is not causal and there is no softcap; else exact f32.
  bool in_bf16 = false;
};

// Rows [begin, end) of q, k, v and y, after `past` tokens of the same sequence. blocks: of the cache, null without.
// Where attention is not causal, `past` is how many keys there are more than rows, below 0 where there are fewer.
struct AttentionSegment {
  int64_t begin, end;
  int past;
  const int32_t* blocks;
};

// One layer of a cache: block b of kv head h has its keys [head_dim][16] at keys + b * block_bytes + h * head_bytes and
// its values [16][head_dim] likewise.
struct CacheView {
  std::byte* keys;
  std::byte* values;
  size_t block_bytes, head_bytes;
  bool is_f16;  // else f32
};

// q and y [tokens, num_heads * head_dim], k and v [tokens, num_kv_heads * head_dim].

// Writes k and v to their blocks.
void append(const AttentionShape& shape, const float* k, const float* v, std::span<const AttentionSegment> segments,
            const CacheView& cache, Isa isa = hearth::isa());
// Attends to past + new tokens, which are all in the cache.
void attend_cached(const AttentionShape& shape, const float* q, std::span<const AttentionSegment> segments,
                   const CacheView& cache, float* y, Isa isa = hearth::isa());

// Attends to the rows of k and v, which hold the past + (end - begin) tokens of each segment, at least one, one segment
// after another: [tokens, ...] too where none has a past. log_sums [tokens, num_heads] gets the log of each softmax's
// denominator; may be null.
void attend(const AttentionShape& shape, const float* q, const float* k, const float* v,
            std::span<const AttentionSegment> segments, float* y, float* log_sums, Isa isa = hearth::isa());

struct AttentionGradient {
  const float *q, *k, *v, *y, *dy, *log_sums;
  GradientSum dq, dk, dv;
  bool in_bf16 = false;  // products of numbers rounded to bf16, where there is no softcap; else exact f32
};
// Computes the probabilities again from log_sums. dk and dv are of k's and v's rows; each segment has at least one row.
void attend_backward(const AttentionShape& shape, const AttentionGradient& gradient,
                     std::span<const AttentionSegment> segments, Isa isa = hearth::isa());

}  // namespace hearth::kernels
