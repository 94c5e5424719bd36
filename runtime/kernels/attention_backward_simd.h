// Backward attention of a segment, written once over Lanes. With p the probabilities, dp = dy v^T and
// ds = p * (dp - sum(dy * y)) * the slope of the softcap:  dv = p^T dy, dk = scale ds^T q, dq = scale ds k.
#pragma once

#include <cstdint>

#include "runtime/kernels/attention_kernels.h"
#include "runtime/kernels/attention_simd.h"
#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/functions.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/product_simd.h"

namespace hearth::kernels {
namespace {

// A span of keys against a tile of rows, all in the tile's scratch. Vectors are padded to `width` with zeros.
struct GradientState {
  int64_t width;
  float *q, *dy, *dq;        // [pairs][width]; q is scaled
  float *p, *ds;             // [pairs][64]
  float* dots;               // [pairs], sum(dy * y)
  float *keys_t, *values_t;  // [4][width][16]
  float* keys;               // [64][width]
  float *dk, *dv;            // [64][width]
};

inline GradientState lay_out(const AttentionGradientTile& t) {
  GradientState s;
  const int64_t pairs = int64_t{t.tile_rows} * t.group;
  s.width = padded_width(t.head_dim);
  const int64_t span = kSpanTokens * s.width;
  s.q = t.scratch;
  s.dy = s.q + pairs * s.width;
  s.dq = s.dy + pairs * s.width;
  s.p = s.dq + pairs * s.width;
  s.ds = s.p + pairs * kSpanTokens;
  s.dots = s.ds + pairs * kSpanTokens;
  s.keys_t = s.dots + pairs * 16;
  s.values_t = s.keys_t + span;
  s.keys = s.values_t + span;
  s.dk = s.keys + span;
  s.dv = s.dk + span;
  return s;
}

// out [width] = in [n] * factor, padded with zeros.
inline void copy_scaled(const float* in, int n, float factor, float* out) {
  const Lanes f = Lanes::broadcast(factor);
  int i = 0;
  for (; i + 16 <= n; i += 16) (Lanes::load(in + i) * f).store(out + i);
  if (i < n) (Lanes::load(in + i, n - i) * f).store(out + i);
}

// out [n] += in * factor
inline void add_to(const float* in, int n, float factor, float* out) {
  const Lanes f = Lanes::broadcast(factor);
  int i = 0;
  for (; i + 16 <= n; i += 16) fma(Lanes::load(in + i), f, Lanes::load(out + i)).store(out + i);
  if (i < n) fma(Lanes::load(in + i), f, Lanes::load(out + i, n - i)).store(out + i, n - i);
}

inline float dot(const float* a, const float* b, int n) {
  Lanes sum = Lanes::zero();
  int i = 0;
  for (; i + 16 <= n; i += 16) sum = fma(Lanes::load(a + i), Lanes::load(b + i), sum);
  if (i < n) sum = fma(Lanes::load(a + i, n - i), Lanes::load(b + i, n - i), sum);
  return sum_lanes(sum);
}

inline void load_span(const AttentionGradientTile& t, const GradientState& s, int base, int count) {
  const KeyValues kv = {KeyValues::Source::kRows, t.k, t.v, t.kv_stride, nullptr, 0};
  const KeyValues vk = {KeyValues::Source::kRows, t.v, t.k, t.kv_stride, nullptr, 0};
  for (int j = 0; j * kBlockTokens < count; ++j) {
    const int block = base / kBlockTokens + j, tokens = tokens_in_block(count, j);
    Rows{kv}.load_keys(block, tokens, t.head_dim, t.transpose, s.keys_t + j * kBlockTokens * s.width);
    Rows{vk}.load_keys(block, tokens, t.head_dim, t.transpose, s.values_t + j * kBlockTokens * s.width);
  }
  for (int j = 0; j < count; ++j) copy_scaled(t.k + (base + j) * t.kv_stride, t.head_dim, 1.f, s.keys + j * s.width);
  clear(s.dk, kSpanTokens * s.width);
  clear(s.dv, kSpanTokens * s.width);
}

inline void load_rows(const AttentionGradientTile& t, const GradientState& s, int row, int rows) {
  for (int p = 0; p < rows * t.group; ++p) {
    const int64_t at = (row + p / t.group) * t.stride + int64_t{p % t.group} * t.head_dim;
    copy_scaled(t.q + at, t.head_dim, t.scale, s.q + p * s.width);
    copy_scaled(t.dy + at, t.head_dim, 1.f, s.dy + p * s.width);
    s.dots[p] = dot(t.dy + at, t.y + at, t.head_dim);
  }
  clear(s.dq, rows * t.group * s.width);
}

// p: scores -> probabilities; ds: dy v^T -> gradient of the scores. `key` is the first of the span, row 0's own is 0.
template <bool kCapped>
inline void differentiate(const AttentionGradientTile& t, const GradientState& s, int row, int pair, int blocks,
                          int key) {
  const int visible = (t.causal ? row + pair / t.group + 1 : t.rows) - key,
            hidden = t.window > 0 ? visible - t.window : 0;
  const float log_sum = t.log_sums[(row + pair / t.group) * t.log_sums_stride + pair % t.group];
  const Lanes shift = Lanes::broadcast(log_sum), back = Lanes::broadcast(s.dots[pair]);
  for (int j = 0; j < blocks; ++j) {
    float* p = s.p + int64_t{pair} * kSpanTokens + j * kBlockTokens;
    float* ds = s.ds + int64_t{pair} * kSpanTokens + j * kBlockTokens;
    const int lanes = visible - j * kBlockTokens;
    Lanes score = Lanes::load(p), inner = Lanes::load(ds) - back;
    if constexpr (kCapped) {
      const Softcap cap(t.softcap);
      score = cap.value(score);
      inner = inner * cap.slope(score);
    }
    Lanes probability = exp(score - shift);
    Lanes slope = probability * inner;
    if (hidden > j * kBlockTokens) {
      probability = first(hidden - j * kBlockTokens, Lanes::zero(), probability);
      slope = first(hidden - j * kBlockTokens, Lanes::zero(), slope);
    }
    if (lanes < kBlockTokens) {
      probability = first(lanes, probability, Lanes::zero());
      slope = first(lanes, slope, Lanes::zero());
    }
    probability.store(p);
    slope.store(ds);
  }
}

[[gnu::noinline]] inline void differentiate_capped(const AttentionGradientTile& t, const GradientState& s, int row,
                                                   int pairs, int blocks, int key) {
  for (int p = 0; p < pairs; ++p) differentiate<true>(t, s, row, p, blocks, key);
}

inline void pass_rows(const AttentionGradientTile& t, const GradientState& s, int row, int rows, int key, int count) {
  load_rows(t, s, row, rows);
  const int pairs = rows * t.group, blocks = (count + kBlockTokens - 1) / kBlockTokens;
  const int columns = static_cast<int>(s.width / 16);
  const float *keys_t[kSpanBlocks] = {}, *values_t[kSpanBlocks] = {};
  for (int j = 0; j < blocks; ++j) {
    keys_t[j] = s.keys_t + j * kBlockTokens * s.width;
    values_t[j] = s.values_t + j * kBlockTokens * s.width;
  }
  clear(s.p, int64_t{pairs} * kSpanTokens);
  clear(s.ds, int64_t{pairs} * kSpanTokens);
  multiply(pairs, blocks, {s.q, s.width, 1}, keys_t, kBlockTokens, t.head_dim, s.p, kSpanTokens);
  multiply(pairs, blocks, {s.dy, s.width, 1}, values_t, kBlockTokens, t.head_dim, s.ds, kSpanTokens);
  if (t.softcap != 0) {
    differentiate_capped(t, s, row, pairs, blocks, key);
  } else {
    for (int p = 0; p < pairs; ++p) differentiate<false>(t, s, row, p, blocks, key);
  }
  const float *keys[16] = {}, *dy[16] = {}, *q[16] = {};
  for (int i = 0; i < columns; ++i) {
    keys[i] = s.keys + 16 * i;
    dy[i] = s.dy + 16 * i;
    q[i] = s.q + 16 * i;
  }
  multiply(pairs, columns, {s.ds, kSpanTokens, 1}, keys, s.width, count, s.dq, s.width);
  multiply(count, columns, {s.p, 1, kSpanTokens}, dy, s.width, pairs, s.dv, s.width);
  multiply(count, columns, {s.ds, 1, kSpanTokens}, q, s.width, pairs, s.dk, s.width);
  if (!t.dq) return;
  for (int p = 0; p < pairs; ++p) {
    const int64_t at = (row + p / t.group) * t.stride + int64_t{p % t.group} * t.head_dim;
    add_to(s.dq + p * s.width, t.head_dim, t.scale, t.dq.values + at);
  }
}

// A line of a square: a key.
inline void differentiate_line(const ScoreSquare& s, int line) {
  float *scores = s.scores + line * kSpanTokens, *slopes = s.slopes + line * kSpanTokens;
  const int key = s.key + line;
  // Of the square: the first row that sees the key, and the first after the last.
  const int first_row = s.causal ? key - s.row : key < s.rows ? 0 : kSpanTokens;
  const int end = least(s.rows, s.window > 0 ? key + s.window : s.rows) - s.row;
  const Lanes scale = Lanes::broadcast(s.scale);
  for (int i = 0; i < kSpanTokens; i += 16) {
    Lanes probability = Lanes::zero(), slope = Lanes::zero();
    if (first_row < i + 16 && i < end) {
      probability = exp(Lanes::load(scores + i) * scale - Lanes::load(s.log_sums + i));
      slope = probability * (Lanes::load(slopes + i) - Lanes::load(s.dots + i)) * scale;
      if (first_row > i || end < i + 16) {
        probability = first(first_row - i, Lanes::zero(), first(end - i, probability, Lanes::zero()));
        slope = first(first_row - i, Lanes::zero(), first(end - i, slope, Lanes::zero()));
      }
    }
    probability.store(scores + i);
    slope.store(slopes + i);
  }
}

inline void differentiate_square(const ScoreSquare& square) {
  for (int line = 0; line < kSpanTokens; ++line) differentiate_line(square, line);
}

inline void clear_row(float* out, int64_t n) {  // nothing past it
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(Lanes::zero(), out + i); });
}

inline void add_row(const float* in, int n, GradientSum out) {
  if (!out.adds) clear_row(out.values, n);
  add_to(in, n, 1.f, out.values);
}

inline void attend_backward_tile(const AttentionGradientTile& t) {
  const GradientState s = lay_out(t);
  for (int r = 0; t.dq && !t.dq.adds && r < t.rows; ++r)
    clear_row(t.dq.values + r * t.stride, int64_t{t.group} * t.head_dim);
  const int keys = t.past + t.rows;
  for (int base = 0; base < keys; base += kSpanTokens) {
    const int count = least(kSpanTokens, keys - base);
    load_span(t, s, base, count);
    const int key = base - t.past;  // counted from the first row's own
    const int end = t.window > 0 ? least(t.rows, key + count + t.window - 1) : t.rows;  // of the rows that see the span
    for (int row = t.causal ? greatest(0, key) : 0; row < end; row += t.tile_rows)
      pass_rows(t, s, row, least(t.tile_rows, end - row), key, count);
    for (int j = 0; j < count; ++j) {
      const int64_t at = (base + j) * t.kv_stride;
      if (t.dk) add_row(s.dk + j * s.width, t.head_dim, t.dk.from(at));
      if (t.dv) add_row(s.dv + j * s.width, t.head_dim, t.dv.from(at));
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
