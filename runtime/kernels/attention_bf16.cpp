// Scores are computed turned, a row a key: so probabilities and their gradients are at once the first operand of dv and
// dk and, in pairs of rows, the second one of dq turned.
#include "runtime/kernels/attention_bf16.h"

#include <algorithm>

#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/rows_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int kSide = kSpanTokens;  // keys, and rows, that pass together
constexpr int kSideBlocks = kSide / kTileDepth;

thread_local Scratch key_scratch, head_scratch, square_scratch, sum_scratch;

int padded_to(int n, int unit) { return (n + unit - 1) / unit * unit; }

struct Sizes {
  explicit Sizes(const AttentionGradientTile& t)
      : rows(t.rows), keys(t.past + t.rows), head_dim(t.head_dim), depth(blocks_of(t.head_dim)) {}
  int64_t rows, keys, head_dim;
  int64_t depth;  // in blocks of 32
  int64_t padded_rows() const { return (rows + kSide - 1) / kSide * kSide; }
  int64_t padded_keys() const { return (keys + kSide - 1) / kSide * kSide; }
  int64_t padded_dim() const { return depth * kTileDepth; }
  // Of rows or keys in tiles or panels of either kind, or as f32: padded to whole squares.
  int64_t row_elements() const { return padded_rows() * padded_dim(); }
  int64_t key_elements() const { return padded_keys() * padded_dim(); }
};

// Of one kv head.
struct Keys {
  const uint16_t *k, *v;     // first operands [tiles of keys][depth]
  const uint16_t* k_turned;  // first operand [tiles of head_dim][blocks of keys]
};

// Of one query head.
struct Head {
  const uint16_t *q, *dy;                  // second operands [panels of rows][depth]
  const uint16_t *q_columns, *dy_columns;  // second operands [panels of head_dim][blocks of rows]
  const float *log_sums, *dots;            // [padded rows]
};

// In f32 and padded: dk and dv [keys][dim] of the kv head, dq turned [dim][rows] of a query head.
struct Sums {
  float *dk, *dv, *dq;
};

struct Call {
  const AttentionGradientTile& t;
  Sizes sizes;
  const FloatKernels& kernels;
  Isa isa;
};

Keys lay_out_keys(const Call& call) {
  const AttentionGradientTile& t = call.t;
  const Sizes& s = call.sizes;
  auto* k = key_scratch.of<uint16_t>(3 * s.key_elements());
  uint16_t *v = k + s.key_elements(), *turned = v + s.key_elements();
  lay_out_bf16({t.k, t.kv_stride, s.keys, s.head_dim}, 0, tiles_of(s.keys), k, call.isa);
  lay_out_bf16({t.v, t.kv_stride, s.keys, s.head_dim}, 0, tiles_of(s.keys), v, call.isa);
  float* columns = sum_scratch.of<float>(s.key_elements());  // [head_dim][padded keys]
  for (int64_t j = 0; j < s.keys; ++j)
    for (int64_t i = 0; i < s.head_dim; ++i) columns[i * s.padded_keys() + j] = t.k[j * t.kv_stride + i];
  lay_out_bf16({columns, s.padded_keys(), s.head_dim, s.keys}, 0, tiles_of(s.head_dim), turned, call.isa);
  return {k, v, turned};
}

Head lay_out_head(const Call& call, int head) {
  const AttentionGradientTile& t = call.t;
  const Sizes& s = call.sizes;
  auto* log_sums = head_scratch.of<float>(2 * s.padded_rows() + 2 * s.row_elements());
  float* dots = log_sums + s.padded_rows();
  auto* operands = reinterpret_cast<uint16_t*>(dots + s.padded_rows());
  const int64_t at = int64_t{head} * t.head_dim;
  std::fill_n(log_sums, 2 * s.padded_rows(), 0.f);
  for (int64_t r = 0; r < s.rows; ++r) {
    log_sums[r] = t.log_sums[r * t.log_sums_stride + head];
    dots[r] = row_kernels(call.isa).dot(t.dy + r * t.stride + at, t.y + r * t.stride + at, s.head_dim);
  }
  const RowsView q = {t.q + at, t.stride, s.rows, s.head_dim}, dy = {t.dy + at, t.stride, s.rows, s.head_dim};
  const auto laid_out = [&](auto layout, const RowsView& m) {
    uint16_t* out = operands;
    layout(m, out, call.isa);
    operands += s.row_elements();
    return out;
  };
  return {laid_out(lay_out_bf16_rows, q),
          laid_out(lay_out_bf16_rows, dy),
          laid_out(lay_out_bf16_columns, q),
          laid_out(lay_out_bf16_columns, dy),
          log_sums,
          dots};
}

// A square of keys from `key` on and rows from `row` on.
void pass_square(const Call& call, const Keys& keys, const Head& head, int key, int row, const Sums& sums,
                 bool starts_keys) {
  const AttentionGradientTile& t = call.t;
  const Sizes& s = call.sizes;
  const int64_t width = s.depth * kTileElements;  // of a tile's row and of a panel, where the depth is head_dim
  const int some_keys = padded_to(std::min(kSide, t.past + t.rows - key), kTileRows);
  const int some_rows = padded_to(std::min(kSide, t.rows - row), kTileRows);
  const int64_t key_blocks = blocks_of(some_keys), row_blocks = blocks_of(some_rows);

  float* p = square_scratch.of<float>(2 * kSide * kSide + 3 * kSide * kSide / 2);
  float* ds = p + kSide * kSide;
  auto* p_tiles = reinterpret_cast<uint16_t*>(ds + kSide * kSide);
  uint16_t *ds_tiles = p_tiles + kSide * kSide, *ds_pairs = ds_tiles + kSide * kSide;
  const Bf16Operands scores = {keys.k + key / kTileRows * width, width, head.q + row / kTileOutputs * width, width,
                               s.depth};
  const Bf16Operands slopes = {keys.v + key / kTileRows * width, width, head.dy + row / kTileOutputs * width, width,
                               s.depth};
  call.kernels.multiply_bf16({scores, p, kSide, some_keys, some_rows, true});
  call.kernels.multiply_bf16({slopes, ds, kSide, some_keys, some_rows, true});
  attention_kernels(call.isa).differentiate({.scores = p,
                                             .slopes = ds,
                                             .log_sums = head.log_sums + row,
                                             .dots = head.dots + row,
                                             .key = key - t.past,
                                             .row = row,
                                             .rows = t.rows,
                                             .window = t.window,
                                             .causal = t.causal,
                                             .scale = t.scale});
  lay_out_bf16({p, kSide, kSide, kSide}, 0, kSide / kTileRows, p_tiles, call.isa);
  lay_out_bf16({ds, kSide, kSide, kSide}, 0, kSide / kTileRows, ds_tiles, call.isa);

  const int64_t dim = s.padded_dim(), row_panel = blocks_of(s.rows) * kTileElements;
  const int64_t side_tile = kSideBlocks * kTileElements, from = row / kTileDepth * kTileElements;
  call.kernels.multiply_bf16({{p_tiles, side_tile, head.dy_columns + from, row_panel, row_blocks},
                              sums.dv + key * dim,
                              dim,
                              some_keys,
                              dim,
                              starts_keys});
  call.kernels.multiply_bf16({{ds_tiles, side_tile, head.q_columns + from, row_panel, row_blocks},
                              sums.dk + key * dim,
                              dim,
                              some_keys,
                              dim,
                              starts_keys});

  for (int tile = 0; tile < kSide / kTileRows; ++tile) {
    for (int b = 0; b < kSideBlocks; ++b) {
      uint16_t* half = ds_pairs + 2 * b * side_tile + tile * kTileElements / 2;
      call.kernels.pair_rows(ds_tiles + (tile * kSideBlocks + b) * kTileElements, half, half + side_tile);
    }
  }
  const int64_t key_tile = blocks_of(s.keys) * kTileElements;
  call.kernels.multiply_bf16(
      {{keys.k_turned + key / kTileDepth * kTileElements, key_tile, ds_pairs, side_tile, key_blocks},
       sums.dq + row,
       s.padded_rows(),
       padded_to(t.head_dim, kTileRows),
       some_rows});
}

// Of the sequence's first keys: the squares' that lie before the first row's window.
int unseen_keys(const AttentionGradientTile& t) {
  return t.window > 0 ? std::max(0, t.past + 1 - t.window) / kSide * kSide : 0;
}

// out [n] += in, or =
void add_row(const float* in, int64_t n, GradientSum out) {
  for (int64_t i = 0; i < n; ++i) out.values[i] = out.adds ? out.values[i] + in[i] : in[i];
}

// dq of a head from its sums, which are turned.
void add_dq(const Call& call, int head, const float* turned) {
  const AttentionGradientTile& t = call.t;
  const int64_t stride = call.sizes.padded_rows();
  float* lines = square_scratch.of<float>(kSide * kTileRows);
  for (int64_t row = 0; row < t.rows; row += kSide) {
    const int64_t rows = std::min<int64_t>(kSide, t.rows - row);
    for (int i = 0; i < t.head_dim; i += kTileRows) {
      matmul_kernels(call.isa).transpose(turned + i * stride + row, stride, rows, lines);
      for (int64_t r = 0; r < rows; ++r)
        add_row(lines + r * kTileRows, std::min(kTileRows, t.head_dim - i),
                t.dq.from((row + r) * t.stride + head * t.head_dim + i));
    }
  }
}

}  // namespace

void attend_backward_bf16(const AttentionGradientTile& t, Isa isa) {
  const Call call = {t, Sizes(t), float_kernels(isa), isa};
  const Keys keys = lay_out_keys(call);
  const int64_t of_keys = call.sizes.key_elements(), of_rows = call.sizes.row_elements();
  Sums sums = {sum_scratch.of<float>(2 * of_keys + of_rows), nullptr, nullptr};
  sums.dv = sums.dk + of_keys;
  sums.dq = sums.dv + of_keys;
  const int unseen = unseen_keys(t);
  std::fill_n(sums.dk, unseen * call.sizes.padded_dim(), 0.f);
  std::fill_n(sums.dv, unseen * call.sizes.padded_dim(), 0.f);
  for (int h = 0; h < t.group; ++h) {
    const Head head = lay_out_head(call, h);
    std::fill_n(sums.dq, of_rows, 0.f);
    for (int key = unseen; key < call.sizes.keys; key += kSide) {
      const int after_past = key - t.past, first = t.causal ? std::max(0, after_past) / kSide * kSide : 0;
      const int end =
          t.window > 0 ? std::min(t.rows, after_past + kSide + t.window - 1) : t.rows;  // of rows that see them
      for (int row = first; row < end; row += kSide)
        pass_square(call, keys, head, key, row, sums, h == 0 && row == first);
    }
    if (t.dq) add_dq(call, h, sums.dq);
  }
  for (int64_t j = 0; j < call.sizes.keys; ++j) {
    if (t.dk) add_row(sums.dk + j * call.sizes.padded_dim(), t.head_dim, t.dk.from(j * t.kv_stride));
    if (t.dv) add_row(sums.dv + j * call.sizes.padded_dim(), t.head_dim, t.dv.from(j * t.kv_stride));
  }
}

}  // namespace hearth::kernels
