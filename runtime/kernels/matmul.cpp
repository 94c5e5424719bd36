// Cuts a product into tasks of rows and panels of 16 outputs. A task's rows stay in the second-level cache while all
// panels pass; with many rows a panel of codes is unpacked (or dequantised) once a task into a scratch of the
// first-level cache's size. No cut changes the order of an output's additions.
#include "runtime/kernels/matmul.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/bf16_matmul.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/matmul_float.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kActivationTileBytes = 256 << 10;
constexpr int64_t kUnpackRows = 24;    // from here on unpacking a panel first is faster
constexpr int64_t kUnpackBlocks = 16;  // at a time: 20 KB
constexpr int64_t kFloatTileBytes = 1 << 20;
constexpr int64_t kFloatRows = 1024;       // of a task at most
constexpr int64_t kSerialWork = 16 << 10;  // multiply-adds below which waking threads costs more

// Buffers of one thread of the team, and of a call (x laid out, owned by the calling thread).
thread_local Scratch activation_scratch, column_scratch, panel_scratch, tile_scratch;

struct Job {
  const Product* product = nullptr;
  int64_t tile_rows = 0, group_outputs = 0, groups = 0;  // of a task; groups in all
  int64_t tasks = 0;
};

struct Call {
  Isa isa;
  const float* x = nullptr;
  int64_t rows = 0, in = 0;
  ActivationBlock* activations = nullptr;  // [rows][in / 32] or null
  float* columns = nullptr;                // as FloatRows has them, or null

  int64_t blocks() const { return in / kPackedBlock; }
  FloatRows float_rows() const { return {x, columns, rows, in}; }
};

Panel panel_of(const PackedWeight& w, int64_t p) {
  return {w.panel(p), w.block_bytes, w.bits, w.groups, w.has_minimum, w.zero};
}

void multiply_packed(const Call& call, const PackedWeight& w, int64_t p, int64_t row, int64_t rows, float* y,
                     int64_t y_stride) {
  const int64_t blocks = call.blocks();
  const ActivationBlock* x = call.activations + row * blocks;
  Panel panel = panel_of(w, p);
  const MatmulKernels& kernels = matmul_kernels(call.isa);
  if (rows < kUnpackRows) return kernels.multiply(panel, blocks, x, blocks, rows, y, y_stride);
  std::byte* unpacked = panel_scratch.bytes(kUnpackBlocks * kUnpackedBlockBytes);
  for (int64_t b = 0; b < blocks; b += kUnpackBlocks) {
    const int64_t n = std::min(kUnpackBlocks, blocks - b);
    kernels.unpack(panel, n, unpacked);
    const Panel wide = {unpacked, kUnpackedBlockBytes, 16, panel.groups, panel.has_minimum, panel.zero};
    kernels.multiply(wide, n, x + b, blocks, rows, y, y_stride);
    panel.blocks += n * panel.block_bytes;
  }
}

void start_with_bias(const float* bias, int64_t outputs, int64_t rows, float* y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; ++r, y += y_stride) {
    for (int64_t o = 0; o < outputs; ++o) y[o] = bias ? bias[o] : 0.f;
  }
}

void run_packed(const Call& call, const Product& product, const FloatTask& t) {
  const WeightView& w = product.weight;
  const bool whole = t.outputs == kPanelOutputs;
  float* target = product.y + t.row * w.out + t.output;
  float* y = whole ? target : tile_scratch.of<float>(t.rows * kPanelOutputs);
  const int64_t y_stride = whole ? w.out : kPanelOutputs;
  if (!whole) std::fill_n(y, t.rows * kPanelOutputs, 0.f);
  start_with_bias(product.bias ? product.bias + t.output : nullptr, t.outputs, t.rows, y, y_stride);
  multiply_packed(call, *w.packed, t.output / kPanelOutputs, t.row, t.rows, y, y_stride);
  if (whole) return;
  for (int64_t r = 0; r < t.rows; ++r) std::copy_n(y + r * kPanelOutputs, t.outputs, target + r * w.out);
}

void run_task(const Call& call, const Job& job, int64_t task) {
  const Product& product = *job.product;
  const WeightView& w = product.weight;
  const int64_t output = task % job.groups * job.group_outputs, row = task / job.groups * job.tile_rows;
  const FloatTask t = {row, std::min(job.tile_rows, call.rows - row), output,
                       std::min(job.group_outputs, w.out - output), product.bias == nullptr};
  if (w.packed) return run_packed(call, product, t);
  float* y = product.y + row * w.out + output;
  if (!t.starts) start_with_bias(product.bias + output, t.outputs, t.rows, y, w.out);
  multiply_exact(call.float_rows(), w, t, y, call.isa);
}

Job plan(const Product& product, int64_t rows) {
  const WeightView& w = product.weight;
  Job job;
  job.product = &product;
  if (w.packed) {
    job.group_outputs = kPanelOutputs;
    const int64_t row_size = w.packed->blocks() * static_cast<int64_t>(sizeof(ActivationBlock));
    job.tile_rows = std::clamp<int64_t>(kActivationTileBytes / row_size / 8 * 8, 16, 256);
  } else {
    job.group_outputs = kGroupPanels * kPanelOutputs;
    // 256 inputs pass at a time: more rows stay in the cache.
    const int64_t rows_in_cache = kFloatTileBytes / w.in;
    job.tile_rows = std::clamp<int64_t>(rows_in_cache / 32 * 32, 32, kFloatRows);
  }
  job.groups = (w.out + job.group_outputs - 1) / job.group_outputs;
  job.tasks = (rows + job.tile_rows - 1) / job.tile_rows * job.groups;
  return job;
}

// Thread t of `threads`: its share of all tasks in a row.
void run_share(const Call& call, std::span<const Job> jobs, int64_t tasks, int64_t t, int64_t threads) {
  int64_t begin = tasks * t / threads;
  int64_t end = tasks * (t + 1) / threads;
  for (const Job& job : jobs) {
    for (int64_t task = std::max<int64_t>(begin, 0); task < std::min(end, job.tasks); ++task) run_task(call, job, task);
    begin -= job.tasks;
    end -= job.tasks;
  }
}

// Thread t's share of x in the layouts of the call.
void lay_out_share(const Call& call, int64_t t, int64_t threads) {
  if (call.activations) {
    const int64_t blocks = call.rows * call.blocks(), begin = blocks * t / threads, end = blocks * (t + 1) / threads;
    matmul_kernels(call.isa).round_activations(call.x + begin * kPackedBlock, end - begin, call.activations + begin);
  }
  const int64_t tiles = tiles_of(call.rows), begin = tiles * t / threads, end = tiles * (t + 1) / threads;
  const RowsView x = {call.x, call.in, call.rows, call.in};
  if (call.columns) lay_out_f32(x, begin, end, call.columns, call.isa);
}

}  // namespace

const MatmulKernels& matmul_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_matmul_kernels();
    case Isa::kAvx2:
      return avx2_matmul_kernels();
    case Isa::kAvx512:
    case Isa::kAmx:
      return avx512_matmul_kernels();
  }
  throw internal_error("matmul has no kernels for this instruction set");
}

void matmul(const float* x, int64_t rows, std::span<const Product> products, Isa isa) {
  constexpr size_t kMostProducts = 8;
  HEARTH_CHECK(products.size() <= kMostProducts);
  if (rows == 0 || products.empty()) return;
  if (products[0].weight.is_bf16()) return multiply_bf16(x, rows, products, isa);
  Call call = {isa, x, rows, products[0].weight.in};
  Job jobs[kMostProducts];
  int64_t tasks = 0, outputs = 0;
  bool integers = false, exact = false;
  for (size_t i = 0; i < products.size(); ++i) {
    const WeightView& w = products[i].weight;
    HEARTH_CHECK(w.in == call.in && !w.is_bf16() && products[i].adapter.rank == 0);
    jobs[i] = plan(products[i], rows);
    tasks += jobs[i].tasks;
    outputs += w.out;
    (w.packed ? integers : exact) = true;
  }
  if (integers) call.activations = activation_scratch.of<ActivationBlock>(rows * call.blocks());
  if (exact && rows > 1) call.columns = column_scratch.of<float>(tiles_of(rows) * kTileRows * call.in);
  const std::span<const Job> plans(jobs, products.size());
  const int wanted = rows * outputs * call.in < kSerialWork ? 1 : num_threads();
  on_threads(wanted, [&](int64_t t, int64_t threads) {
    lay_out_share(call, t, threads);
#pragma omp barrier  // none has thrown by here: only tasks allocate
    run_share(call, plans, tasks, t, threads);
  });
}

}  // namespace hearth::kernels
