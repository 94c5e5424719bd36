#include "runtime/kernels/packed_weight.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"
#include "runtime/kernels/float_operands.h"
#include "runtime/kernels/format_codes.h"
#include "runtime/kernels/half.h"
#include "runtime/kernels/scratch.h"

namespace hearth::kernels {
namespace {

static_assert(kPackedBlock == kCodeBlock && kPackedBlock == kTileDepth && kPanelOutputs == kTileOutputs);

constexpr size_t kAlignment = 64;

std::unique_ptr<std::byte[], void (*)(std::byte*)> allocate(size_t size) {
  void* data = std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
  if (!data) throw std::bad_alloc();
  return {static_cast<std::byte*>(data), [](std::byte* p) { std::free(p); }};
}

// The codes of one output, into its column of the block's words.
void place_codes(const uint8_t* codes, int bits, int output, uint8_t* words) {
  const int inputs_per_word = 32 / bits;
  for (int w = 0; w < kPackedBlock / inputs_per_word; ++w) {
    uint32_t word = 0;
    for (int i = 0; i < inputs_per_word; ++i) {
      word |= static_cast<uint32_t>(codes[w * inputs_per_word + i]) << (i % 2 * 16 + i / 2 * bits);
    }
    std::memcpy(words + (w * kPanelOutputs + output) * sizeof word, &word, sizeof word);
  }
}

void place_f16(float value, int index, std::byte* values) {
  const uint16_t h = f32_to_f16(value);
  std::memcpy(values + index * sizeof h, &h, sizeof h);
}

void pack_panel(BlockReader read, const PackedWeight& layout, const std::byte* rows, size_t row_size, int outputs,
                std::byte* panel) {
  const size_t code_bytes = static_cast<size_t>(kPackedBlock) * kPanelOutputs * layout.bits / 8;
  CodeBlock block;
  for (int64_t b = 0; b < layout.blocks(); ++b, panel += layout.block_bytes) {
    for (int o = 0; o < outputs; ++o) {
      read(rows + o * row_size, b, block);
      place_codes(block.codes, layout.bits, o, reinterpret_cast<uint8_t*>(panel));
      for (int g = 0; g < layout.groups; ++g) {
        place_f16(block.scale[g], g * kPanelOutputs + o, panel + code_bytes);
        if (layout.has_minimum)
          place_f16(block.minimum[g], (layout.groups + g) * kPanelOutputs + o, panel + code_bytes);
      }
    }
  }
}

}  // namespace

bool can_pack(Format format, int64_t in) { return code_traits(format).bits != 0 && in % kPackedBlock == 0; }

std::unique_ptr<PackedWeight> pack(Format format, int64_t out, int64_t in, const std::byte* rows) {
  HEARTH_CHECK(can_pack(format, in));
  const CodeTraits traits = code_traits(format);
  auto packed = std::make_unique<PackedWeight>();
  packed->out = out;
  packed->in = in;
  packed->bits = traits.bits;
  packed->groups = traits.groups;
  packed->has_minimum = traits.has_minimum;
  packed->zero = traits.zero;
  const size_t scales = static_cast<size_t>(traits.groups) * (traits.has_minimum ? 2 : 1) * kPanelOutputs;
  packed->block_bytes = static_cast<size_t>(kPackedBlock) * kPanelOutputs * traits.bits / 8 + scales * sizeof(uint16_t);
  packed->panel_bytes = packed->block_bytes * packed->blocks();
  packed->data = allocate(packed->panel_bytes * packed->panels());

  const BlockReader read = block_reader(format);
  const size_t row_size = row_bytes(format, in);
  parallel_for(packed->panels(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int outputs = static_cast<int>(std::min<int64_t>(kPanelOutputs, out - p * kPanelOutputs));
      std::byte* panel = packed->data.get() + p * packed->panel_bytes;
      if (outputs < kPanelOutputs) std::memset(panel, 0, packed->panel_bytes);
      pack_panel(read, *packed, rows + p * kPanelOutputs * row_size, row_size, outputs, panel);
    }
  });
  return packed;
}

std::unique_ptr<PackedWeight> pack_bf16(Format format, int64_t out, int64_t in, const std::byte* rows, Isa isa) {
  constexpr int64_t kInputs = 1024;  // dequantised at a time, 64 KB a panel; a multiple of every format's block
  auto packed = std::make_unique<PackedWeight>();
  packed->out = out;
  packed->in = in;
  packed->bits = 16;
  packed->block_bytes = kTileElements * sizeof(uint16_t);
  packed->panel_bytes = packed->block_bytes * packed->blocks();
  packed->data = allocate(packed->panel_bytes * packed->panels());
  const FloatKernels& kernels = float_kernels(isa);
  const size_t row_size = row_bytes(format, in);
  parallel_for(packed->panels(), 4, [&](int64_t p, int64_t end) {
    thread_local Scratch scratch;
    float* values = scratch.of<float>(kPanelOutputs * kInputs);
    for (; p < end; ++p) {
      const int64_t outputs = std::min<int64_t>(kPanelOutputs, out - p * kPanelOutputs);
      auto* tile = reinterpret_cast<uint16_t*>(packed->data.get() + p * packed->panel_bytes);
      for (int64_t i = 0; i < in; i += kInputs) {
        const int64_t n = std::min(kInputs, in - i);
        const std::byte* column = rows + p * kPanelOutputs * row_size + row_bytes(format, i);
        for (int64_t o = 0; o < outputs; ++o) dequantize(format, column + o * row_size, n, values + o * kInputs);
        for (int64_t k = 0; k < n; k += kTileDepth, tile += kTileElements) {
          uint16_t row_tile[kTileElements];
          kernels.round_tile(values + k, kInputs, outputs, std::min<int64_t>(kTileDepth, n - k), row_tile);
          kernels.transpose_tile(row_tile, tile);
        }
      }
    }
  });
  return packed;
}

PackedWeight slice(const PackedWeight& w, int64_t output, int64_t outputs) {
  HEARTH_CHECK(output % kPanelOutputs == 0 && output + outputs <= w.out);
  PackedWeight part{outputs, w.in,          w.bits,        w.groups,          w.has_minimum,
                    w.zero,  w.block_bytes, w.panel_bytes, {nullptr, nullptr}};
  part.data = {w.data.get() + output / kPanelOutputs * w.panel_bytes, [](std::byte*) {}};
  return part;
}

void unpack_row(const PackedWeight& w, int64_t output, float* values) {
  HEARTH_CHECK(w.is_bf16() && output < w.out);
  const auto* panel = reinterpret_cast<const uint16_t*>(w.panel(output / kPanelOutputs));
  const int64_t column = output % kPanelOutputs;
  for (int64_t i = 0; i < w.in; ++i) values[i] = bf16_to_f32(panel[(i / 2 * kPanelOutputs + column) * 2 + i % 2]);
}

}  // namespace hearth::kernels
