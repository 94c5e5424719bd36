#include "runtime/kernels/low_rank.h"

#include <algorithm>
#include <array>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kBlockRows = 64;  // that pass together; a multiple of a tile's
constexpr int64_t kGrainRows = 64;  // of a thread

// Of the calling thread: factors laid out, or the partial sums of every thread. Of each: a block's rows.
thread_local Scratch factor_scratch, partial_scratch, row_scratch, wide_scratch, narrow_scratch, column_scratch;

int64_t padded(int64_t n) { return (n + kTileOutputs - 1) / kTileOutputs * kTileOutputs; }

// fn(t, threads, first row, end) on each thread that has rows: whole tiles.
template <class Fn>
void for_rows(int64_t rows, Fn fn) {
  const int64_t tiles = tiles_of(rows);
  on_threads(std::min<int64_t>(num_threads(), (rows + kGrainRows - 1) / kGrainRows), [&](int64_t t, int64_t threads) {
    fn(t, threads, tiles * t / threads * kTileRows, std::min(tiles * (t + 1) / threads * kTileRows, rows));
  });
}

// m [rows, n] -> panels [padded rows / 16][n][16]; rows past the last are zero.
void lay_out_panels(const float* m, int64_t rows, int64_t n, float* out, Isa isa) {
  const int64_t panels = tiles_of(rows);
  if (rows % kTileRows != 0) std::fill_n(out + (panels - 1) * n * kTileRows, n * kTileRows, 0.f);
  lay_out_f32({m, n, rows, n}, 0, panels, out, isa);
}

// Rows of a product's part of a call: h and its factors' panels.
void add_block(const LowRankProduct& p, const float* panels, const FloatProduct& x, int64_t row, int64_t in, Isa isa) {
  const FloatKernels& kernels = float_kernels(isa);
  const int64_t rank = p.rank, rows = x.rows;
  FloatProduct down = x;
  down.b = panels;
  down.b_stride = kTileOutputs;
  down.b_panel = in * kTileOutputs;
  down.c = p.h + row * rank;
  down.c_stride = down.columns = rank;
  std::fill_n(down.c, rows * rank, 0.f);
  kernels.multiply_f32(down);

  float* scaled = narrow_scratch.of<float>(rows * rank);
  for (int64_t i = 0; i < rows * rank; ++i) scaled[i] = p.scale * down.c[i];
  float* h = column_scratch.of<float>(padded(rows) * rank);
  lay_out_f32({scaled, rank, rows, rank}, 0, tiles_of(rows), h, isa);
  kernels.multiply_f32({h, kTileRows, rank * kTileRows, panels + padded(rank) * in, kTileOutputs, rank * kTileOutputs,
                        p.y + row * p.out, p.out, rows, p.out, rank});
}

// The sums of one thread: of da [rank, in], then of db transposed [rank, out].
struct Partial {
  float *da, *db;
};

struct Backward {
  const RowSource& x;
  int64_t in;
  std::span<const LowRankGradient> gradients;
  float* dx;
  Isa isa;
  float* partials = nullptr;  // [threads][floats()]

  int64_t floats() const {
    int64_t n = 0;
    for (const LowRankGradient& g : gradients) n += g.rank * (in + g.out);
    return n;
  }
  Partial partial(int64_t t, size_t gradient) const {
    float* at = partials + t * floats();
    for (size_t i = 0; i < gradient; ++i) at += gradients[i].rank * (in + gradients[i].out);
    return {at, at + gradients[gradient].rank * in};
  }
};

// x: of the block's rows.
void add_block(const Backward& call, const LowRankGradient& g, const Partial& sums, int64_t row, int64_t rows,
               const float* x) {
  const FloatKernels& kernels = float_kernels(call.isa);
  const int64_t rank = g.rank, in = call.in;
  const float* dy = g.dy + row * g.out;
  float* columns = wide_scratch.of<float>(padded(rows) * g.out);
  lay_out_f32({dy, g.out, rows, g.out}, 0, tiles_of(rows), columns, call.isa);
  float* dh = narrow_scratch.of<float>(rows * rank);
  std::fill_n(dh, rows * rank, 0.f);
  kernels.multiply_f32({columns, kTileRows, g.out * kTileRows, g.b, rank, kTileOutputs, dh, rank, rows, rank, g.out});
  for (int64_t i = 0; i < rows * rank; ++i) dh[i] *= g.scale;
  if (g.db)
    kernels.multiply_f32(
        {g.h + row * rank, rank, kTileRows, dy, g.out, kTileOutputs, sums.db, g.out, rank, g.out, rows});
  if (g.da) kernels.multiply_f32({dh, rank, kTileRows, x, in, kTileOutputs, sums.da, in, rank, in, rows});
  if (!call.dx) return;
  float* turned = column_scratch.of<float>(padded(rows) * rank);
  lay_out_f32({dh, rank, rows, rank}, 0, tiles_of(rows), turned, call.isa);
  kernels.multiply_f32(
      {turned, kTileRows, rank * kTileRows, g.a, in, kTileOutputs, call.dx + row * in, in, rows, in, rank});
}

// da and db += the sums of all threads, in their order: rows of a and columns of b that are thread t's share.
void add_partials(const Backward& call, size_t gradient, int64_t summed, int64_t t, int64_t threads) {
  const LowRankGradient& g = call.gradients[gradient];
  const int64_t elements = g.rank * call.in;
  for (int64_t part = 0; part < summed; ++part) {
    const Partial sums = call.partial(part, gradient);
    if (g.da) {
      for (int64_t i = elements * t / threads; i < elements * (t + 1) / threads; ++i) g.da[i] += sums.da[i];
    }
    if (!g.db) continue;
    for (int64_t o = g.out * t / threads; o < g.out * (t + 1) / threads; ++o) {
      for (int64_t k = 0; k < g.rank; ++k) g.db[o * g.rank + k] += g.scale * sums.db[k * g.out + o];
    }
  }
}

}  // namespace

void low_rank(const float* x, int64_t rows, int64_t in, std::span<const LowRankProduct> products, Isa isa) {
  HEARTH_CHECK(static_cast<int64_t>(products.size()) <= kMostLowRanks);
  if (rows == 0) return;
  int64_t floats = 0;
  std::array<int64_t, kMostLowRanks> begins;
  for (size_t i = 0; i < products.size(); ++i) {
    begins[i] = floats;
    floats += padded(products[i].rank) * in + padded(products[i].out) * products[i].rank;
  }
  float* panels = factor_scratch.of<float>(floats);
  for (size_t i = 0; i < products.size(); ++i) {
    const LowRankProduct& p = products[i];
    lay_out_panels(p.a, p.rank, in, panels + begins[i], isa);
    lay_out_panels(p.b, p.out, p.rank, panels + begins[i] + padded(p.rank) * in, isa);
  }
  for_rows(rows, [&](int64_t, int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row += kBlockRows) {
      const int64_t count = std::min(kBlockRows, end - row);
      float* columns = wide_scratch.of<float>(padded(count) * in);
      lay_out_f32({x + row * in, in, count, in}, 0, tiles_of(count), columns, isa);
      FloatProduct of_x = {};
      of_x.a = columns;
      of_x.a_stride = kTileRows;
      of_x.a_tile = in * kTileRows;
      of_x.rows = count;
      of_x.depth = in;
      for (size_t i = 0; i < products.size(); ++i) add_block(products[i], panels + begins[i], of_x, row, in, isa);
    }
  });
}

void low_rank_backward(const RowSource& x, int64_t rows, int64_t in, std::span<const LowRankGradient> gradients,
                       float* dx, Isa isa) {
  HEARTH_CHECK(static_cast<int64_t>(gradients.size()) <= kMostLowRanks);
  if (rows == 0) return;
  Backward call = {x, in, gradients, dx, isa};
  const bool reads_x = std::any_of(gradients.begin(), gradients.end(), [](const LowRankGradient& g) { return g.da; });
  call.partials = partial_scratch.of<float>(call.floats() * num_threads());
  int64_t summed = 1;  // threads that have sums
  for_rows(rows, [&](int64_t t, int64_t threads, int64_t begin, int64_t end) {
    if (t == 0) summed = threads;
    std::fill_n(call.partials + t * call.floats(), call.floats(), 0.f);
    for (int64_t row = begin; row < end; row += kBlockRows) {
      const int64_t count = std::min(kBlockRows, end - row);
      const float* block = nullptr;
      if (reads_x) block = x.read(row, row + count, row_scratch.of<float>(x.is_made() ? count * in : 0));
      for (size_t i = 0; i < gradients.size(); ++i)
        add_block(call, gradients[i], call.partial(t, i), row, count, block);
    }
  });
  on_threads(summed, [&](int64_t t, int64_t threads) {
    for (size_t i = 0; i < gradients.size(); ++i) add_partials(call, i, summed, t, threads);
  });
}

}  // namespace hearth::kernels
