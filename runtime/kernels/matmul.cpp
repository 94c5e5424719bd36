// Cuts a product into tasks of (rows tile, panel of 16 outputs). A tile's activations stay in the second-level cache
// while all panels pass; with many rows a panel is unpacked (or dequantised) once a tile into a scratch of the
// first-level cache's size. No cut changes the order of an output's additions.
#include "runtime/kernels/matmul.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/matmul_kernels.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kActivationTileBytes = 256 << 10;
constexpr int64_t kUnpackRows = 24;        // from here on unpacking a panel first is faster
constexpr int64_t kUnpackBlocks = 16;      // at a time: 20 KB
constexpr int64_t kFloatRows = 256;        // a tile of the exact path
constexpr int64_t kFloatInputs = 256;      // dequantised at a time, 16 KB; a multiple of every format's block
constexpr int64_t kSerialWork = 16 << 10;  // multiply-adds below which waking threads costs more

// Buffers of one thread of the team, and of a call (activations, owned by the calling thread).
thread_local Scratch activation_scratch, panel_scratch, row_scratch, tile_scratch;

struct Job {
  const Product* product = nullptr;
  int64_t tile_rows = 0, panels = 0;
  int64_t tasks = 0;
};

struct Call {
  const MatmulKernels* kernels = nullptr;
  const float* x = nullptr;
  int64_t rows = 0, in = 0;
  ActivationBlock* activations = nullptr;  // [rows][in / 32] or null
};

int64_t blocks_of(const Call& call) { return call.in / kPackedBlock; }

Panel panel_of(const PackedWeight& w, int64_t p) {
  return {w.panel(p), w.block_bytes, w.bits, w.groups, w.has_minimum, w.zero};
}

void multiply_packed(const Call& call, const PackedWeight& w, int64_t p, int64_t row, int64_t rows, float* y,
                     int64_t y_stride) {
  const int64_t blocks = blocks_of(call);
  const ActivationBlock* x = call.activations + row * blocks;
  Panel panel = panel_of(w, p);
  if (rows < kUnpackRows) return call.kernels->multiply(panel, blocks, x, blocks, rows, y, y_stride);
  std::byte* unpacked = panel_scratch.bytes(kUnpackBlocks * kUnpackedBlockBytes);
  for (int64_t b = 0; b < blocks; b += kUnpackBlocks) {
    const int64_t n = std::min(kUnpackBlocks, blocks - b);
    call.kernels->unpack(panel, n, unpacked);
    const Panel wide = {unpacked, kUnpackedBlockBytes, 16, panel.groups, panel.has_minimum, panel.zero};
    call.kernels->multiply(wide, n, x + b, blocks, rows, y, y_stride);
    panel.blocks += n * panel.block_bytes;
  }
}

// Formats without blocks are converted while they are transposed. False when `format` is another.
bool transpose_rows(const MatmulKernels& kernels, Format format, const std::byte* rows, int64_t stride, int64_t n,
                    float* panel) {
  const auto* halves = reinterpret_cast<const uint16_t*>(rows);
  if (format == Format::kF32) {
    kernels.transpose(reinterpret_cast<const float*>(rows), stride, n, panel);
  } else if (format == Format::kF16) {
    kernels.transpose_f16(halves, stride, n, panel);
  } else if (format == Format::kBF16) {
    kernels.transpose_bf16(halves, stride, n, panel);
  } else {
    return false;
  }
  return true;
}

// Inputs [begin, begin + n) of 16 outputs -> panel_scratch [n][16]; outputs past the last are zero.
const float* dequantize_panel(const MatmulKernels& kernels, const WeightView& w, int64_t p, int64_t begin, int64_t n) {
  float* panel = panel_scratch.of<float>(kPanelOutputs * kFloatInputs);
  const size_t row_size = row_bytes(w.format, w.in);
  const std::byte* rows = w.rows + p * kPanelOutputs * row_size + row_bytes(w.format, begin);
  const int64_t outputs = std::min<int64_t>(kPanelOutputs, w.out - p * kPanelOutputs);
  if (outputs == kPanelOutputs && transpose_rows(kernels, w.format, rows, w.in, n, panel)) return panel;
  float* values = row_scratch.of<float>(kPanelOutputs * kFloatInputs);
  for (int64_t o = 0; o < kPanelOutputs; ++o) {
    if (o < outputs) {
      dequantize(w.format, rows + o * row_size, n, values + o * kFloatInputs);
    } else {
      std::fill_n(values + o * kFloatInputs, n, 0.f);
    }
  }
  kernels.transpose(values, kFloatInputs, n, panel);
  return panel;
}

void multiply_float(const Call& call, const WeightView& w, int64_t p, int64_t row, int64_t rows, float* y,
                    int64_t y_stride) {
  for (int64_t i = 0; i < call.in; i += kFloatInputs) {
    const int64_t n = std::min(kFloatInputs, call.in - i);
    const float* panel = dequantize_panel(*call.kernels, w, p, i, n);
    call.kernels->multiply_f32(call.x + row * call.in + i, call.in, rows, panel, kPanelOutputs, n, y, y_stride);
  }
}

void start_with_bias(const float* bias, int64_t outputs, int64_t rows, float* y, int64_t y_stride) {
  for (int64_t r = 0; r < rows; ++r, y += y_stride) {
    for (int64_t o = 0; o < outputs; ++o) y[o] = bias ? bias[o] : 0.f;
  }
}

void run_task(const Call& call, const Job& job, int64_t task) {
  const Product& product = *job.product;
  const WeightView& w = product.weight;
  const int64_t p = task % job.panels, output = p * kPanelOutputs;
  const int64_t row = task / job.panels * job.tile_rows;
  const int64_t rows = std::min(job.tile_rows, call.rows - row);
  const int64_t outputs = std::min<int64_t>(kPanelOutputs, w.out - output);
  const bool whole = outputs == kPanelOutputs;
  float* target = product.y + row * w.out + output;
  float* y = whole ? target : tile_scratch.of<float>(rows * kPanelOutputs);
  const int64_t y_stride = whole ? w.out : kPanelOutputs;
  if (!whole) std::fill_n(y, rows * kPanelOutputs, 0.f);
  start_with_bias(product.bias ? product.bias + output : nullptr, outputs, rows, y, y_stride);
  if (w.packed) {
    multiply_packed(call, *w.packed, p, row, rows, y, y_stride);
  } else {
    multiply_float(call, w, p, row, rows, y, y_stride);
  }
  if (whole) return;
  for (int64_t r = 0; r < rows; ++r) std::copy_n(y + r * kPanelOutputs, outputs, target + r * w.out);
}

Job plan(const Product& product, int64_t rows) {
  const WeightView& w = product.weight;
  Job job;
  job.product = &product;
  job.panels = (w.out + kPanelOutputs - 1) / kPanelOutputs;
  job.tile_rows = kFloatRows;
  if (w.packed) {
    const int64_t row_size = w.packed->blocks() * static_cast<int64_t>(sizeof(ActivationBlock));
    job.tile_rows = std::clamp<int64_t>(kActivationTileBytes / row_size / 8 * 8, 16, 256);
  }
  job.tasks = (rows + job.tile_rows - 1) / job.tile_rows * job.panels;
  return job;
}

// Thread t of `threads`: its share of rounding, then its share of all tasks in a row.
void run_share(const Call& call, std::span<const Job> jobs, int64_t tasks, int t, int threads) {
  int64_t begin = tasks * t / threads;
  int64_t end = tasks * (t + 1) / threads;
  for (const Job& job : jobs) {
    for (int64_t task = std::max<int64_t>(begin, 0); task < std::min(end, job.tasks); ++task) run_task(call, job, task);
    begin -= job.tasks;
    end -= job.tasks;
  }
}

}  // namespace

const MatmulKernels& matmul_kernels(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar_matmul_kernels();
    case Isa::kAvx2:
      return avx2_matmul_kernels();
    case Isa::kAvx512:
      return avx512_matmul_kernels();
  }
  throw internal_error("matmul has no kernels for this instruction set");
}

void matmul(const MatmulKernels& kernels, const float* x, int64_t rows, std::span<const Product> products) {
  constexpr size_t kMostProducts = 8;
  HEARTH_CHECK(products.size() <= kMostProducts);
  if (rows == 0 || products.empty()) return;
  Call call{&kernels, x, rows, products[0].weight.in, nullptr};
  Job jobs[kMostProducts];
  int64_t tasks = 0, outputs = 0;
  bool rounds = false;
  for (size_t i = 0; i < products.size(); ++i) {
    HEARTH_CHECK(products[i].weight.in == call.in);
    jobs[i] = plan(products[i], rows);
    tasks += jobs[i].tasks;
    outputs += products[i].weight.out;
    rounds = rounds || products[i].weight.packed;
  }
  const std::span<const Job> plans(jobs, products.size());
  const int64_t blocks = rounds ? rows * blocks_of(call) : 0;
  if (rounds) call.activations = activation_scratch.of<ActivationBlock>(blocks);
  const int wanted = rows * outputs * call.in < kSerialWork ? 1 : num_threads();
  on_threads(wanted, [&](int64_t t, int64_t threads) {
    const int64_t begin = blocks * t / threads, end = blocks * (t + 1) / threads;
    if (begin < end) kernels.round_activations(x + begin * kPackedBlock, end - begin, call.activations + begin);
#pragma omp barrier  // none has thrown by here: only tasks allocate
    run_share(call, plans, tasks, static_cast<int>(t), static_cast<int>(threads));
  });
}

void matmul(const float* x, int64_t rows, std::span<const Product> products) {
  matmul(matmul_kernels(isa()), x, rows, products);
}

}  // namespace hearth::kernels
