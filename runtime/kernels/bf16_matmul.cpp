#include "runtime/kernels/bf16_matmul.h"

#include <algorithm>
#include <array>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/half.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr size_t kMostProducts = 8;
constexpr int64_t kLeastTiles = 8;               // rows of a thread: with fewer, threads share the outputs instead
constexpr int64_t kRowBytes = 1 << 20;           // of rows in tiles, which stay in the second-level cache
constexpr int64_t kGroupOutputs = 96;            // that pass over the rows together
constexpr int64_t kGradientBytes = 3 << 19;      // of dy's rows in tiles
constexpr int64_t kChunk = 2048;                 // outputs whose dy is laid out at a time
constexpr int64_t kOutputs = 768, kInputs = 64;  // of the weight, rearranged at a time: 96 KB
constexpr int64_t kSerialWork = 16 << 10;        // multiply-adds below which waking threads costs more

// Of the calling thread: factors laid out and the sums of all threads. Of each: its rows, and what is made of them.
thread_local Scratch factor_scratch, partial_scratch, made_scratch, row_scratch, gradient_scratch, narrow_scratch,
    tile_scratch, weight_scratch, pair_scratch, turned_scratch;

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
Range share(int64_t n, int64_t part, int64_t parts) { return {n * part / parts, n * (part + 1) / parts}; }
Range common(Range a, Range b) { return {std::max(a.begin, b.begin), std::max(std::min(a.end, b.end), a.begin)}; }

// Which part of all rows, and of all outputs or inputs, is thread t's.
struct Place {
  int64_t row_part, row_parts, part, parts;
};
Place place_of(int64_t rows, int64_t t, int64_t threads) {
  int64_t row_parts = threads;
  while (row_parts > 1 && (threads % row_parts != 0 || tiles_of(rows) < kLeastTiles * row_parts)) --row_parts;
  const int64_t parts = threads / row_parts;
  return {t / parts, row_parts, t % parts, parts};
}

// fn(first row, end) over the rows of some tiles, in blocks of about the same size, at most `most` rows each.
template <class Fn>
void for_row_blocks(Range tiles, int64_t rows, int64_t most, Fn fn) {
  const int64_t most_tiles = std::max<int64_t>(most / kTileRows, 1);
  const int64_t blocks = (tiles.size() + most_tiles - 1) / most_tiles;
  for (int64_t b = 0; b < blocks; ++b) {
    const Range part = share(tiles.size(), b, blocks);
    fn((tiles.begin + part.begin) * kTileRows, std::min((tiles.begin + part.end) * kTileRows, rows));
  }
}

int64_t elements_of_rows(const RowsView& m) { return tiles_of(m.rows) * blocks_of(m.columns) * kTileElements; }
int64_t elements_of_columns(const RowsView& m) { return blocks_of(m.columns) * 2 * blocks_of(m.rows) * kTileElements; }

// The factors of a call's products, laid out: `a` and `b` of each, in the form that `lay_out` gives.
struct Factors {
  const uint16_t *a = nullptr, *b = nullptr;
};

// scale * b, and the views of both factors.
struct FactorViews {
  FactorViews(const LowRankFactors& f, int64_t out, int64_t in) : scaled(static_cast<size_t>(out * f.rank)) {
    for (int64_t i = 0; i < out * f.rank; ++i) scaled[static_cast<size_t>(i)] = f.scale * f.b[i];
    a = {f.a, in, f.rank, in};
    b = {scaled.data(), f.rank, out, f.rank};
  }
  std::vector<float> scaled;
  RowsView a, b;
};

using Layout = void (*)(const RowsView&, uint16_t*, Isa);
using Elements = int64_t (*)(const RowsView&);

template <class ProductType>
std::array<Factors, kMostProducts> lay_out_factors(std::span<const ProductType> products, Layout lay_out,
                                                   Elements elements, Isa isa) {
  std::array<Factors, kMostProducts> factors;
  std::vector<FactorViews> views;
  int64_t total = 0;
  for (const ProductType& p : products) {
    views.emplace_back(p.adapter, p.weight.out, p.weight.in);
    if (p.adapter.rank > 0) total += elements(views.back().a) + elements(views.back().b);
  }
  uint16_t* next = factor_scratch.of<uint16_t>(total);
  for (size_t i = 0; i < products.size(); ++i) {
    if (products[i].adapter.rank == 0) continue;
    factors[i] = {next, next + elements(views[i].a)};
    lay_out(views[i].a, next, isa);
    lay_out(views[i].b, next + elements(views[i].a), isa);
    next += elements(views[i].a) + elements(views[i].b);
  }
  return factors;
}

// Rows in tiles.
struct TileRows {
  const uint16_t* tiles = nullptr;
  int64_t rows = 0, blocks = 0;

  // With panels of as many blocks.
  Bf16Operands with(const uint16_t* panels) const {
    return {tiles, blocks * kTileElements, panels, blocks * kTileElements, blocks};
  }
};

TileRows rounded(const RowsView& m, Scratch& scratch, Isa isa) {
  const int64_t tiles = tiles_of(m.rows), blocks = blocks_of(m.columns);
  uint16_t* out = scratch.of<uint16_t>(tiles * blocks * kTileElements);
  lay_out_bf16(m, 0, tiles, out, isa);
  return {out, m.rows, blocks};
}

// ---- forward

struct Forward {
  const float* x;
  int64_t rows, in;
  std::span<const Product> products;
  std::array<Factors, kMostProducts> factors;
  Isa isa;
};

int64_t groups_of(const Product& p) { return (p.weight.out + kGroupOutputs - 1) / kGroupOutputs; }

void start_with_bias(const float* bias, int64_t outputs, int64_t rows, float* y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(bias, outputs, y + r * y_stride);
}

// The outputs of some groups of a product, of rows from `row` on.
void multiply_product(const Forward& call, size_t index, const TileRows& x, int64_t row, Range groups, bool writes_h) {
  const FloatKernels& kernels = float_kernels(call.isa);
  const Product& p = call.products[index];
  const int64_t rank = p.adapter.rank, width = padded_rank(rank), out = p.weight.out;
  TileRows h;
  if (rank > 0) {
    float* sums = writes_h ? p.h + row * width : narrow_scratch.of<float>(x.rows * width);
    kernels.multiply_bf16({x.with(call.factors[index].a), sums, width, x.rows, width, true});
    h = rounded({sums, width, x.rows, rank}, tile_scratch, call.isa);
  }
  for (int64_t g = groups.begin; g < groups.end; ++g) {
    const int64_t output = g * kGroupOutputs, outputs = std::min(kGroupOutputs, out - output);
    float* y = p.y + row * out + output;
    if (p.bias) start_with_bias(p.bias + output, outputs, x.rows, y, out);
    const auto* weight = reinterpret_cast<const uint16_t*>(p.weight.packed->panel(output / kPanelOutputs));
    Bf16Product product = {x.with(weight), y, out, x.rows, outputs, p.bias == nullptr};
    if (rank > 0) product.second = h.with(call.factors[index].b + output / kTileOutputs * h.blocks * kTileElements);
    kernels.multiply_bf16(product);
  }
}

void multiply_share(const Forward& call, const Place& place) {
  int64_t groups = 0;
  for (const Product& p : call.products) groups += groups_of(p);
  const Range wanted = share(groups, place.part, place.parts);
  for_row_blocks(
      share(tiles_of(call.rows), place.row_part, place.row_parts), call.rows, kRowBytes / (2 * call.in),
      [&](int64_t row, int64_t end) {
        const TileRows x = rounded({call.x + row * call.in, call.in, end - row, call.in}, row_scratch, call.isa);
        int64_t first = 0;
        for (size_t i = 0; i < call.products.size(); ++i) {
          const Range own = {first, first + groups_of(call.products[i])};
          const Range here = common(own, wanted);
          first = own.end;
          if (here.size() <= 0) continue;
          multiply_product(call, i, x, row, {here.begin - own.begin, here.end - own.begin}, here.begin == own.begin);
        }
      });
}

// ---- backward

struct Backward {
  const RowSource& x;
  int64_t rows, in;
  std::span<const ProductGradient> products;
  std::array<Factors, kMostProducts> factors;
  GradientSum dx;
  Isa isa;
  float* partials = nullptr;  // [row parts][floats()]: of da, then of db transposed, of each product

  int64_t floats() const {
    int64_t n = 0;
    for (const ProductGradient& p : products) n += padded_rank(p.adapter.rank) * (in + p.weight.out);
    return n;
  }
  bool reads_x() const {
    return std::any_of(products.begin(), products.end(), [](const ProductGradient& p) { return p.da != nullptr; });
  }
};

// Tiles of the weight, whose depth is inputs, become tiles whose depth is outputs: of 32 outputs (two panels; past the
// last zero) and 32 inputs, two of them, `panel` elements apart.
void rearrange(const FloatKernels& kernels, const PackedWeight& w, int64_t output, int64_t block, uint16_t* out,
               int64_t panel) {
  constexpr int64_t kHalf = kTileElements / 2;
  for (int half = 0; half < 2; ++half) {
    const int64_t p = output / kPanelOutputs + half;
    if (p >= w.panels()) {
      std::fill_n(out + kHalf, kHalf, uint16_t{0});
      std::fill_n(out + panel + kHalf, kHalf, uint16_t{0});
      return;
    }
    uint16_t rows[kTileElements];
    kernels.transpose_tile(reinterpret_cast<const uint16_t*>(w.panel(p)) + block * kTileElements, rows);
    kernels.pair_rows(rows, out + half * kHalf, out + panel + half * kHalf);
  }
}

// dx of some inputs += dy W of the outputs from `output` on, + dh A.
void add_weight(const Backward& call, const PackedWeight& w, const TileRows& dy, int64_t output, Range inputs,
                const TileRows& dh, const uint16_t* a, float* dx, bool starts) {
  const FloatKernels& kernels = float_kernels(call.isa);
  constexpr int64_t kBlocks = kOutputs / kTileDepth, kPanel = kBlocks * kTileElements;
  auto* tile = weight_scratch.of<uint16_t>(kInputs / kTileOutputs * kPanel);
  for (int64_t i = inputs.begin; i < inputs.end; i += kInputs) {
    const int64_t count = std::min(kInputs, inputs.end - i);
    for (int64_t b = 0; b < dy.blocks; b += kBlocks) {
      const int64_t blocks = std::min(kBlocks, dy.blocks - b);
      for (int64_t k = 0; k < count; k += kTileDepth) {
        for (int64_t o = 0; o < blocks; ++o) {
          rearrange(kernels, w, output + (b + o) * kTileDepth, (i + k) / kTileDepth,
                    tile + k / kTileOutputs * kPanel + o * kTileElements, kPanel);
        }
      }
      Bf16Product product = {{dy.tiles + b * kTileElements, dy.blocks * kTileElements, tile, kPanel, blocks},
                             dx + i,
                             call.in,
                             dy.rows,
                             count,
                             starts && b == 0};
      if (b + blocks == dy.blocks && dh.blocks > 0)
        product.second = dh.with(a + i / kTileOutputs * dh.blocks * kTileElements);
      kernels.multiply_bf16(product);
    }
  }
}

// h [rows][width] -> the first operand whose depth is rows: [row tiles of h^T][blocks of rows][16][32]
const uint16_t* turned(const float* h, int64_t rows, int64_t width) {
  const int64_t blocks = blocks_of(rows);
  auto* out = turned_scratch.of<uint16_t>(width * blocks * kTileDepth);
  for (int64_t k = 0; k < width; ++k) {
    uint16_t* line = out + (k / kTileRows * blocks * kTileRows + k % kTileRows) * kTileDepth;
    for (int64_t r = 0; r < blocks * kTileDepth; ++r)
      line[r / kTileDepth * kTileElements + r % kTileDepth] = r < rows ? f32_to_bf16(h[r * width + k]) : uint16_t{0};
  }
  return out;
}

// sums [width][columns] += h^T m
void add_outer(const Backward& call, const uint16_t* turned_h, int64_t width, const TileRows& m, int64_t columns,
               float* sums, int64_t stride, bool starts) {
  const FloatKernels& kernels = float_kernels(call.isa);
  constexpr int64_t kHalf = kTileElements / 2;
  const int64_t blocks = blocks_of(m.rows), panel = blocks * kTileElements;
  auto* pairs = pair_scratch.of<uint16_t>(2 * panel);
  if (tiles_of(m.rows) % 2 != 0) {
    std::fill_n(pairs + panel - kHalf, kHalf, uint16_t{0});
    std::fill_n(pairs + 2 * panel - kHalf, kHalf, uint16_t{0});
  }
  for (int64_t column = 0; column < columns; column += kTileDepth) {
    const uint16_t* tile = m.tiles + column / kTileDepth * kTileElements;
    for (int64_t t = 0; t < tiles_of(m.rows); ++t, tile += m.blocks * kTileElements)
      kernels.pair_rows(tile, pairs + t * kHalf, pairs + panel + t * kHalf);
    kernels.multiply_bf16({{turned_h, panel, pairs, panel, blocks},
                           sums + column,
                           stride,
                           width,
                           std::min<int64_t>(kTileDepth, columns - column),
                           starts});
  }
}

// What one product's rows from `row` on give: to dx of some inputs, and to da and db where `sums` is not null.
void add_product(const Backward& call, size_t index, const TileRows& x, int64_t row, int64_t rows, Range inputs,
                 float* sums, GradientSum dx, bool starts_sums) {
  const FloatKernels& kernels = float_kernels(call.isa);
  const ProductGradient& p = call.products[index];
  const int64_t rank = p.adapter.rank, width = padded_rank(rank), out = p.weight.out, in = call.in;
  float* dx_rows = dx ? dx.values + row * in : nullptr;
  float* dh = narrow_scratch.of<float>(rows * width);
  const uint16_t* h = p.db && sums ? turned(p.h + row * width, rows, width) : nullptr;
  for (int64_t output = 0; output < out; output += kChunk) {
    const int64_t outputs = std::min(kChunk, out - output);
    const TileRows dy = rounded({p.dy + row * out + output, out, rows, outputs}, gradient_scratch, call.isa);
    if (rank > 0) {
      Bf16Operands operands = dy.with(call.factors[index].b + output / kTileDepth * kTileElements);
      operands.b_panel = blocks_of(out) * kTileElements;
      kernels.multiply_bf16({operands, dh, width, rows, width, output == 0});
    }
    if (h) add_outer(call, h, width, dy, outputs, sums + width * in + output, out, starts_sums);
    if (!dx) continue;
    TileRows dh_tiles;
    if (rank > 0 && output + outputs == out) dh_tiles = rounded({dh, width, rows, rank}, tile_scratch, call.isa);
    add_weight(call, *p.weight.packed, dy, output, inputs, dh_tiles, call.factors[index].a, dx_rows,
               !dx.adds && output == 0);
  }
  if (p.da && sums) add_outer(call, turned(dh, rows, width), width, x, in, sums, in, starts_sums);
}

void add_share(const Backward& call, const Place& place) {
  const Range units = share(blocks_of(call.in), place.part, place.parts);
  const Range inputs = {units.begin * kTileDepth, std::min(units.end * kTileDepth, call.in)};
  float* sums = place.part == 0 ? call.partials + place.row_part * call.floats() : nullptr;
  int64_t widest = call.in;
  for (const ProductGradient& p : call.products) widest = std::max(widest, std::min(p.weight.out, kChunk));
  bool starts_sums = true;
  for_row_blocks(share(tiles_of(call.rows), place.row_part, place.row_parts), call.rows,
                 std::max(kGradientBytes / (2 * widest), kLeastTiles * kTileRows), [&](int64_t row, int64_t end) {
                   TileRows x = {};
                   if (sums && call.reads_x()) {
                     float* made = made_scratch.of<float>(call.x.is_made() ? (end - row) * call.in : 0);
                     x = rounded({call.x.read(row, end, made), call.in, end - row, call.in}, row_scratch, call.isa);
                   }
                   GradientSum dx = call.dx;
                   float* part = sums;
                   for (size_t i = 0; i < call.products.size(); ++i) {
                     add_product(call, i, x, row, end - row, inputs, part, dx, starts_sums);
                     dx.adds = true;
                     if (part)
                       part += padded_rank(call.products[i].adapter.rank) * (call.in + call.products[i].weight.out);
                   }
                   starts_sums = false;
                 });
}

// da and db += the sums of all row parts, in their order: thread t's share.
void add_partials(const Backward& call, int64_t row_parts, int64_t t, int64_t threads) {
  int64_t at = 0;
  for (const ProductGradient& p : call.products) {
    const int64_t rank = p.adapter.rank, out = p.weight.out;
    for (int64_t part = 0; part < row_parts; ++part) {
      const float* da = call.partials + part * call.floats() + at;
      const float* db = da + padded_rank(rank) * call.in;
      const Range elements = share(p.da ? rank * call.in : 0, t, threads), outputs = share(p.db ? out : 0, t, threads);
      for (int64_t i = elements.begin; i < elements.end; ++i) p.da[i] += da[i];
      for (int64_t o = outputs.begin; o < outputs.end; ++o)
        for (int64_t k = 0; k < rank; ++k) p.db[o * rank + k] += p.adapter.scale * db[k * out + o];
    }
    at += padded_rank(rank) * (call.in + out);
  }
}

}  // namespace

void multiply_bf16(const float* x, int64_t rows, std::span<const Product> products, Isa isa) {
  HEARTH_CHECK(products.size() <= kMostProducts);
  const Forward call = {
      x,  rows, products[0].weight.in, products, lay_out_factors(products, lay_out_bf16_rows, elements_of_rows, isa),
      isa};
  int64_t outputs = 0;
  for (const Product& p : products) outputs += p.weight.out;
  const int wanted = rows * outputs * call.in < kSerialWork ? 1 : num_threads();
  on_threads(wanted, [&](int64_t t, int64_t threads) { multiply_share(call, place_of(rows, t, threads)); });
}

void multiply_bf16_backward(const RowSource& x, int64_t rows, std::span<const ProductGradient> products, GradientSum dx,
                            Isa isa) {
  HEARTH_CHECK(products.size() <= kMostProducts);
  Backward call = {x,
                   rows,
                   products[0].weight.in,
                   products,
                   lay_out_factors(products, lay_out_bf16_columns, elements_of_columns, isa),
                   dx,
                   isa};
  int64_t outputs = 0;
  for (const ProductGradient& p : products) outputs += p.weight.out;
  const int wanted = rows * outputs * call.in < kSerialWork ? 1 : num_threads();
  call.partials = partial_scratch.of<float>(call.floats() * wanted);
  int64_t row_parts = 1;  // that have sums
  on_threads(wanted, [&](int64_t t, int64_t threads) {
    const Place place = place_of(rows, t, threads);
    if (t == 0) row_parts = place.row_parts;
    add_share(call, place);
  });
  if (call.floats() == 0) return;
  on_threads(wanted, [&](int64_t t, int64_t threads) { add_partials(call, row_parts, t, threads); });
}

}  // namespace hearth::kernels
