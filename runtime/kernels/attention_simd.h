// Forward attention and the writing of cache blocks, written once over Lanes.
#pragma once

#include <cstdint>
#include <cstring>

#include "runtime/kernels/attention_kernels.h"
#include "runtime/kernels/functions.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/product_simd.h"

namespace hearth::kernels {
namespace {

inline int least(int a, int b) { return a < b ? a : b; }
inline int greatest(int a, int b) { return a > b ? a : b; }

// Tokens of the span that starts at `base` in block j of it, of `count` in the span.
inline int tokens_in_block(int count, int j) { return least(kBlockTokens, count - j * kBlockTokens); }

// The first 16 columns of `count` rows, those past `columns` zero -> out [count][16].
template <class Element>
inline void copy_columns(const Element* in, int64_t stride, int count, int columns, float* out) {
  if (columns >= 16) {
    for (int t = 0; t < count; ++t) Lanes::load(in + t * stride).store(out + 16 * t);
  } else {
    for (int t = 0; t < count; ++t) Lanes::load(in + t * stride, columns).store(out + 16 * t);
  }
}

// Keys and values that lie in cache blocks.
template <class Element>
struct Blocks {
  const KeyValues& kv;
  static constexpr bool kDirect = true;  // a block can be multiplied with where it lies
  static constexpr bool kConverts = sizeof(Element) != sizeof(float);

  static const Element* at(const void* base, size_t bytes) {
    return reinterpret_cast<const Element*>(static_cast<const char*>(base) + bytes);
  }
  const Element* keys(int block) const { return at(kv.keys, kv.blocks[block] * kv.block_bytes); }
  const Element* values(int block) const { return at(kv.values, kv.blocks[block] * kv.block_bytes); }

  void load_keys(int block, int, int head_dim, Transpose, float* out) const {
    const Element* in = keys(block);
    for (int d = 0; d < head_dim; ++d) Lanes::load(in + d * kBlockTokens).store(out + d * kBlockTokens);
  }
  // Columns offset .. offset + 15 of a block's values, those past head_dim zero -> out [count][16].
  void load_values(int block, int count, int offset, int head_dim, float* out) const {
    const Element* in = values(block) + offset;
    copy_columns(in, head_dim, count, head_dim - offset, out);
  }
};

// Keys and values that are rows of a tensor.
struct Rows {
  const KeyValues& kv;
  static constexpr bool kDirect = false;
  static constexpr bool kConverts = true;

  void load_keys(int block, int count, int head_dim, Transpose transpose, float* out) const {
    const float* in = static_cast<const float*>(kv.keys) + int64_t{block} * kBlockTokens * kv.stride;
    if (count == kBlockTokens) return transpose(in, kv.stride, head_dim, out);
    for (int d = 0; d < head_dim; ++d) {
      for (int t = 0; t < kBlockTokens; ++t) out[d * kBlockTokens + t] = t < count ? in[t * kv.stride + d] : 0.f;
    }
  }
  void load_values(int block, int count, int offset, int head_dim, float* out) const {
    const float* in = static_cast<const float*>(kv.values) + int64_t{block} * kBlockTokens * kv.stride + offset;
    copy_columns(in, kv.stride, count, head_dim - offset, out);
  }
};

// The state of a tile, all in its scratch.
struct TileState {
  int pairs;
  int64_t width;   // head_dim, padded to whole lanes
  float* q;        // [pairs][head_dim], scaled
  float* sum;      // [pairs][width], of exp(score - top) * value
  float* scores;   // [pairs][64]
  float* weights;  // [pairs][16], lanes of the sum of exp(score - top)
  float* tops;     // [pairs], the largest score so far
  float* keys;     // [head_dim][16] of a block
  float* values;   // [64][16] of a span's columns
};

inline TileState start(const AttentionTile& t) {
  TileState s;
  s.pairs = t.rows * t.group;
  s.width = padded_width(t.head_dim);
  s.q = t.scratch;
  s.sum = s.q + int64_t{s.pairs} * t.head_dim;
  s.scores = s.sum + s.pairs * s.width;
  s.weights = s.scores + int64_t{s.pairs} * kSpanTokens;
  s.tops = s.weights + int64_t{s.pairs} * 16;
  s.keys = s.tops + int64_t{s.pairs} * 16;
  s.values = s.keys + 16 * s.width;
  const Lanes scale = Lanes::broadcast(t.scale);
  for (int r = 0; r < t.rows; ++r) {
    const float* in = t.q + r * t.stride;
    float* out = s.q + int64_t{r} * t.group * t.head_dim;
    const int n = t.group * t.head_dim;  // a multiple of 8
    int i = 0;
    for (; i + 16 <= n; i += 16) (Lanes::load(in + i) * scale).store(out + i);
    if (i < n) (Lanes::load(in + i, n - i) * scale).store(out + i, n - i);
  }
  clear(s.sum, s.pairs * s.width);
  clear(s.weights, int64_t{s.pairs} * 16);
  for (int p = 0; p < s.pairs; ++p) s.tops[p] = -__builtin_inff();
  return s;
}

// A row sees so many of the sequence's first keys.
inline int visible_keys(const AttentionTile& t, int row) { return t.first_position + 1 + (t.causal ? row : 0); }

// The pairs of a tile that see some of a span.
struct PairRange {
  int first, end;
};

// Caps the scores of a span and hides those of keys before a pair's window, which is not all of the span. Not inlined:
// the plain path keeps its registers.
[[gnu::noinline]] inline void prepare_scores(const AttentionTile& t, const TileState& s, int base, int blocks,
                                             PairRange pairs) {
  if (t.softcap != 0) {
    const Softcap cap(t.softcap);
    for (int p = pairs.first; p < pairs.end; ++p) {
      float* scores = s.scores + int64_t{p} * kSpanTokens;
      for (int i = 0; i < blocks * kBlockTokens; i += 16) cap.value(Lanes::load(scores + i)).store(scores + i);
    }
  }
  if (t.window == 0) return;
  const Lanes none = Lanes::broadcast(-__builtin_inff());
  for (int p = pairs.first; p < pairs.end; ++p) {
    const int hidden = t.first_position + p / t.group + 1 - t.window - base;
    float* scores = s.scores + int64_t{p} * kSpanTokens;
    for (int i = 0; i < hidden; i += 16) first(hidden - i, none, Lanes::load(scores + i)).store(scores + i);
  }
}

// Scores of the first `visible` keys of a span -> exp(score - top), the others -> 0, after the pair's sums have been
// brought to the new top.
inline void soften(const TileState& s, int pair, int blocks, int visible) {
  float* scores = s.scores + int64_t{pair} * kSpanTokens;
  float* weights = s.weights + int64_t{pair} * 16;
  const Lanes none = Lanes::broadcast(-__builtin_inff());
  Lanes x[kSpanBlocks];
  Lanes largest = none;
  for (int j = 0; j < blocks; ++j) {
    x[j] = Lanes::load(scores + j * kBlockTokens);
    if (visible < (j + 1) * kBlockTokens) x[j] = first(visible - j * kBlockTokens, x[j], none);
    largest = max(x[j], largest);
  }
  Lanes weight = Lanes::load(weights);
  const float top = largest_lane(largest);
  if (top > s.tops[pair]) {
    const Lanes shrink = exp(Lanes::broadcast(s.tops[pair]) - Lanes::broadcast(top));
    weight = weight * shrink;
    float* sum = s.sum + pair * s.width;
    for (int64_t i = 0; i < s.width; i += 16) (Lanes::load(sum + i) * shrink).store(sum + i);
    s.tops[pair] = top;
  }
  const Lanes shift = Lanes::broadcast(s.tops[pair]);
  for (int j = 0; j < blocks; ++j) {
    const Lanes p = exp(x[j] - shift);
    p.store(scores + j * kBlockTokens);
    weight = weight + p;
  }
  weight.store(weights);
}

// Products with keys and values where they lie: best when few rows use a conversion, or when there is none.
template <class Source>
void pass_span_direct(const AttentionTile& t, const TileState& s, const Source& source, int base, int count,
                      PairRange range) {
  const int blocks = (count + kBlockTokens - 1) / kBlockTokens, pairs = range.end - range.first;
  const int first_block = base / kBlockTokens;
  float* scores = s.scores + int64_t{range.first} * kSpanTokens;
  decltype(source.keys(0)) keys[kSpanBlocks] = {};
  for (int j = 0; j < blocks; ++j) keys[j] = source.keys(first_block + j);
  clear(scores, int64_t{pairs} * kSpanTokens);
  const Factor q = {s.q + int64_t{range.first} * t.head_dim, t.head_dim, 1};
  multiply(pairs, blocks, q, keys, kBlockTokens, t.head_dim, scores, kSpanTokens);
  if (t.softcap != 0 || t.window != 0) prepare_scores(t, s, base, blocks, range);
  for (int p = range.first; p < range.end; ++p) soften(s, p, blocks, visible_keys(t, p / t.group) - base);
  const int columns = t.head_dim / 16;
  for (int j = 0; j < blocks; ++j) {
    decltype(source.keys(0)) values[16] = {};
    for (int i = 0; i < columns; ++i) values[i] = source.values(first_block + j) + 16 * i;
    const Factor weights = {scores + j * kBlockTokens, kSpanTokens, 1};
    multiply(pairs, columns, weights, values, t.head_dim, tokens_in_block(count, j), s.sum + range.first * s.width,
             s.width);
  }
}

// Products with f32 copies, a block of keys and sixteen columns of values at a time, which stay in the first-level
// cache for all pairs.
template <class Source>
void pass_span_copied(const AttentionTile& t, const TileState& s, const Source& source, int base, int count,
                      PairRange range) {
  const int blocks = (count + kBlockTokens - 1) / kBlockTokens, pairs = range.end - range.first;
  float* scores = s.scores + int64_t{range.first} * kSpanTokens;
  clear(scores, int64_t{pairs} * kSpanTokens);
  const Factor q = {s.q + int64_t{range.first} * t.head_dim, t.head_dim, 1};
  for (int j = 0; j < blocks; ++j) {
    source.load_keys(base / kBlockTokens + j, tokens_in_block(count, j), t.head_dim, t.transpose, s.keys);
    const float* keys = s.keys;
    multiply(pairs, 1, q, &keys, kBlockTokens, t.head_dim, scores + j * kBlockTokens, kSpanTokens);
  }
  if (t.softcap != 0 || t.window != 0) prepare_scores(t, s, base, blocks, range);
  for (int p = range.first; p < range.end; ++p) soften(s, p, blocks, visible_keys(t, p / t.group) - base);
  const Factor weights = {scores, kSpanTokens, 1};
  for (int i = 0; i < t.head_dim; i += 16) {
    for (int j = 0; j < blocks; ++j) {
      source.load_values(base / kBlockTokens + j, tokens_in_block(count, j), i, t.head_dim,
                         s.values + j * kBlockTokens * 16);
    }
    const float* values = s.values;
    multiply(pairs, 1, weights, &values, 16, count, s.sum + range.first * s.width + i, s.width);
  }
}

inline void finish(const AttentionTile& t, const TileState& s) {
  for (int p = 0; p < s.pairs; ++p) {
    const int row = p / t.group, head = p % t.group;
    const float weight = sum_lanes(Lanes::load(s.weights + int64_t{p} * 16));
    const Lanes share = Lanes::broadcast(1.f / weight);
    const float* sum = s.sum + p * s.width;
    float* y = t.y + row * t.stride + int64_t{head} * t.head_dim;
    int i = 0;
    for (; i + 16 <= t.head_dim; i += 16) (Lanes::load(sum + i) * share).store(y + i);
    if (i < t.head_dim) (Lanes::load(sum + i) * share).store(y + i, t.head_dim - i);
    if (t.log_sums) t.log_sums[row * t.log_sums_stride + head] = s.tops[p] + __builtin_logf(weight);
  }
}

template <class Source>
void attend_to(const AttentionTile& t, const Source& source) {
  const TileState s = start(t);
  const int keys = visible_keys(t, t.rows - 1);
  const int first_key = t.window > 0 ? greatest(0, t.first_position + 1 - t.window) : 0;
  for (int base = first_key - first_key % kSpanTokens; base < keys; base += kSpanTokens) {
    const int count = least(kSpanTokens, keys - base);
    const int first_row = greatest(0, base - t.first_position);  // rows before come before the span
    const int end_row =                                          // rows from it on have the span before their window
        t.window > 0 ? least(t.rows, base + kSpanTokens + t.window - 1 - t.first_position) : t.rows;
    const PairRange range = {first_row * t.group, end_row * t.group};
    if constexpr (Source::kDirect) {
      if (t.head_dim % 16 == 0 && (!Source::kConverts || s.pairs <= Lanes::kRows)) {
        pass_span_direct(t, s, source, base, count, range);
        continue;
      }
    }
    pass_span_copied(t, s, source, base, count, range);
  }
  finish(t, s);
}

inline void attend_tile(const AttentionTile& t) {
  switch (t.kv.source) {
    case KeyValues::Source::kF16Blocks:
      return attend_to(t, Blocks<uint16_t>{t.kv});
    case KeyValues::Source::kF32Blocks:
      return attend_to(t, Blocks<float>{t.kv});
    case KeyValues::Source::kRows:
      return attend_to(t, Rows{t.kv});
  }
}

// head_dim values -> Element.
template <class Element>
inline void convert(const float* in, int n, Element* out) {
  int i = 0;
  for (; i + 16 <= n; i += 16) Lanes::load(in + i).store(out + i);
  if (i < n) {
    Element rest[16];
    Lanes::load(in + i, n - i).store(rest);
    std::memcpy(out + i, rest, (n - i) * sizeof(Element));
  }
}

template <class Element>
void write_elements(const BlockWrite& w) {
  auto* keys = static_cast<Element*>(w.keys);
  auto* values = static_cast<Element*>(w.values);
  for (int t = 0; t < w.count; ++t)
    convert(w.v + t * w.stride, w.head_dim, values + int64_t{w.first_slot + t} * w.head_dim);
  if (w.count == kBlockTokens) {
    w.transpose(w.k, w.stride, w.head_dim, w.scratch);
    return convert(w.scratch, w.head_dim * kBlockTokens, keys);
  }
  auto* key = reinterpret_cast<Element*>(w.scratch);
  for (int t = 0; t < w.count; ++t) {
    convert(w.k + t * w.stride, w.head_dim, key);
    for (int d = 0; d < w.head_dim; ++d) keys[d * kBlockTokens + w.first_slot + t] = key[d];
  }
}

inline void write_block(const BlockWrite& w) {
  if (w.is_f16) return write_elements<uint16_t>(w);
  write_elements<float>(w);
}

}  // namespace
}  // namespace hearth::kernels
