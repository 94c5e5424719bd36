// Block layouts: ggml-common.h (block_q4_0 ... block_q6_K); the order of f32 operations: ggml-quants.c
// (dequantize_row_*).
#include "runtime/kernels/format.h"

#include <cstring>

#include "runtime/base/error.h"
#include "runtime/kernels/format_codes.h"
#include "runtime/kernels/half.h"

namespace hearth {
namespace kernels {
namespace {

constexpr int kSuperBlock = 256;                          // values in a block of a K format
constexpr int kBlocksInSuper = kSuperBlock / kCodeBlock;  // 8

const uint8_t* bytes(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

float load_f16(const uint8_t* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof h);
  return f16_to_f32(h);
}

// 16 bytes: low nibbles are values 0..15, high nibbles values 16..31.
void split_nibbles(const uint8_t* packed, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = packed[i] & 15;
    codes[i + 16] = packed[i] >> 4;
  }
}

// Bit i of four little-endian bytes is bit 4 of code i.
void add_fifth_bits(const uint8_t* high, uint8_t* codes) {
  uint32_t bits;
  std::memcpy(&bits, high, sizeof bits);
  for (int i = 0; i < kCodeBlock; ++i) codes[i] = static_cast<uint8_t>(codes[i] | (bits >> i & 1) << 4);
}

void read_q4_0(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] codes[16]
  const uint8_t* b = bytes(row) + block * 18;
  out.scale[0] = load_f16(b);
  split_nibbles(b + 2, out.codes);
}

void read_q4_1(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] m[2] codes[16]
  const uint8_t* b = bytes(row) + block * 20;
  out.scale[0] = load_f16(b);
  out.minimum[0] = load_f16(b + 2);
  split_nibbles(b + 4, out.codes);
}

void read_q5_0(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] high[4] codes[16]
  const uint8_t* b = bytes(row) + block * 22;
  out.scale[0] = load_f16(b);
  split_nibbles(b + 6, out.codes);
  add_fifth_bits(b + 2, out.codes);
}

void read_q5_1(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] m[2] high[4] codes[16]
  const uint8_t* b = bytes(row) + block * 24;
  out.scale[0] = load_f16(b);
  out.minimum[0] = load_f16(b + 2);
  split_nibbles(b + 8, out.codes);
  add_fifth_bits(b + 4, out.codes);
}

void read_q8_0(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] values[32], signed
  const uint8_t* b = bytes(row) + block * 34;
  out.scale[0] = load_f16(b);
  for (int i = 0; i < kCodeBlock; ++i) out.codes[i] = b[2 + i] ^ 0x80;  // + 128
}

void read_q2_k(const std::byte* row, int64_t block, CodeBlock& out) {  // scales[16] codes[64] d[2] dmin[2]
  const uint8_t* b = bytes(row) + block / kBlocksInSuper * 84;
  const int j = static_cast<int>(block % kBlocksInSuper);
  const float d = load_f16(b + 80), dmin = load_f16(b + 82);
  for (int g = 0; g < 2; ++g) {
    const uint8_t both = b[2 * j + g];
    out.scale[g] = d * static_cast<float>(both & 15);
    out.minimum[g] = -(dmin * static_cast<float>(both >> 4));
  }
  const uint8_t* packed = b + 16 + j / 4 * 32;
  for (int i = 0; i < kCodeBlock; ++i) out.codes[i] = packed[i] >> 2 * (j % 4) & 3;
}

void read_q3_k(const std::byte* row, int64_t block, CodeBlock& out) {  // high[32] codes[64] scales[12] d[2]
  const uint8_t* b = bytes(row) + block / kBlocksInSuper * 110;
  const int j = static_cast<int>(block % kBlocksInSuper);
  const uint8_t* scales = b + 96;
  const float d = load_f16(b + 108);
  for (int g = 0; g < 2; ++g) {  // 6 bits: four low ones in bytes 0..7, two high ones in bytes 8..11
    const int k = 2 * j + g;
    const int low = scales[k % 8] >> 4 * (k / 8) & 15;
    const int high = scales[8 + k % 4] >> 2 * (k / 4) & 3;
    out.scale[g] = d * static_cast<float>((low | high << 4) - 32);
  }
  const uint8_t* packed = b + 32 + j / 4 * 32;
  for (int i = 0; i < kCodeBlock; ++i) {
    out.codes[i] = static_cast<uint8_t>((packed[i] >> 2 * (j % 4) & 3) | (b[i] >> j & 1) << 2);
  }
}

// Scale and minimum j of the 12 bytes that Q4_K and Q5_K share: 6 bits each.
void read_scale_and_minimum(const uint8_t* super_block, const uint8_t* packed, int j, CodeBlock& out) {
  const float d = load_f16(super_block), dmin = load_f16(super_block + 2);
  int scale, minimum;
  if (j < 4) {
    scale = packed[j] & 63;
    minimum = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
    minimum = packed[j + 4] >> 4 | packed[j] >> 6 << 4;
  }
  out.scale[0] = d * static_cast<float>(scale);
  out.minimum[0] = -(dmin * static_cast<float>(minimum));
}

void read_q4_k(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] dmin[2] scales[12] codes[128]
  const uint8_t* b = bytes(row) + block / kBlocksInSuper * 144;
  const int j = static_cast<int>(block % kBlocksInSuper);
  read_scale_and_minimum(b, b + 4, j, out);
  const uint8_t* packed = b + 16 + j / 2 * 32;
  for (int i = 0; i < kCodeBlock; ++i) out.codes[i] = packed[i] >> 4 * (j % 2) & 15;
}

void read_q5_k(const std::byte* row, int64_t block, CodeBlock& out) {  // d[2] dmin[2] scales[12] high[32] codes[128]
  const uint8_t* b = bytes(row) + block / kBlocksInSuper * 176;
  const int j = static_cast<int>(block % kBlocksInSuper);
  read_scale_and_minimum(b, b + 4, j, out);
  const uint8_t* high = b + 16;
  const uint8_t* packed = b + 48 + j / 2 * 32;
  for (int i = 0; i < kCodeBlock; ++i) {
    out.codes[i] = static_cast<uint8_t>((packed[i] >> 4 * (j % 2) & 15) | (high[i] >> j & 1) << 4);
  }
}

void read_q6_k(const std::byte* row, int64_t block, CodeBlock& out) {  // codes[128] high[64] scales[16], signed; d[2]
  const uint8_t* b = bytes(row) + block / kBlocksInSuper * 210;
  const int j = static_cast<int>(block % kBlocksInSuper);
  const float d = load_f16(b + 208);
  for (int g = 0; g < 2; ++g) out.scale[g] = d * static_cast<float>(static_cast<int8_t>(b[192 + 2 * j + g]));
  const uint8_t* low = b + j / 4 * 64 + j % 2 * 32;
  const uint8_t* high = b + 128 + j / 4 * 32;
  for (int i = 0; i < kCodeBlock; ++i) {
    out.codes[i] = static_cast<uint8_t>((low[i] >> (j % 4 < 2 ? 0 : 4) & 15) | (high[i] >> 2 * (j % 4) & 3) << 4);
  }
}

struct FormatEntry {
  FormatInfo info;
  CodeTraits traits;
  BlockReader reader;
};

constexpr FormatEntry kFormats[kFormatCount] = {
    // in the order of Format
    {{"F32", 1, 4}, {}, nullptr},
    {{"F16", 1, 2}, {}, nullptr},
    {{"BF16", 1, 2}, {}, nullptr},
    {{"Q4_0", 32, 18}, {4, 1, false, 8}, read_q4_0},
    {{"Q4_1", 32, 20}, {4, 1, true, 0}, read_q4_1},
    {{"Q5_0", 32, 22}, {8, 1, false, 16}, read_q5_0},
    {{"Q5_1", 32, 24}, {8, 1, true, 0}, read_q5_1},
    {{"Q8_0", 32, 34}, {8, 1, false, 128}, read_q8_0},
    {{"Q2_K", kSuperBlock, 84}, {4, 2, true, 0}, read_q2_k},
    {{"Q3_K", kSuperBlock, 110}, {4, 2, false, 4}, read_q3_k},
    {{"Q4_K", kSuperBlock, 144}, {4, 1, true, 0}, read_q4_k},
    {{"Q5_K", kSuperBlock, 176}, {8, 1, true, 0}, read_q5_k},
    {{"Q6_K", kSuperBlock, 210}, {8, 2, false, 32}, read_q6_k},
};

const FormatEntry& entry(Format format) {
  const auto index = static_cast<size_t>(format);
  HEARTH_CHECK(index < kFormatCount);
  return kFormats[index];
}

void dequantize_codes(const FormatEntry& format, const std::byte* blocks, int64_t n, float* values) {
  const CodeTraits traits = format.traits;
  const int group = kCodeBlock / traits.groups;
  CodeBlock block;
  for (int64_t b = 0; b < n / kCodeBlock; ++b) {
    format.reader(blocks, b, block);
    for (int g = 0; g < traits.groups; ++g) {
      const float scale = block.scale[g];
      const uint8_t* codes = block.codes + g * group;
      float* out = values + b * kCodeBlock + g * group;
      if (traits.has_minimum) {
        const float minimum = block.minimum[g];
        for (int i = 0; i < group; ++i) out[i] = scale * static_cast<float>(codes[i]) + minimum;
      } else {
        for (int i = 0; i < group; ++i) out[i] = scale * static_cast<float>(codes[i] - traits.zero);
      }
    }
  }
}

}  // namespace

CodeTraits code_traits(Format format) { return entry(format).traits; }

BlockReader block_reader(Format format) { return entry(format).reader; }

}  // namespace kernels

const FormatInfo& info(Format format) { return kernels::entry(format).info; }

void dequantize(Format format, const std::byte* blocks, int64_t n, float* values) {
  const kernels::FormatEntry& entry = kernels::entry(format);
  HEARTH_CHECK(n % entry.info.block_size == 0);
  if (entry.reader) return kernels::dequantize_codes(entry, blocks, n, values);
  if (format == Format::kF32) {
    if (n > 0) std::memcpy(values, blocks, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  const auto widen = [&](auto convert) {
    for (int64_t i = 0; i < n; ++i) {
      uint16_t h;
      std::memcpy(&h, blocks + 2 * i, sizeof h);
      values[i] = convert(h);
    }
  };
  if (format == Format::kF16) {
    widen([](uint16_t h) { return f16_to_f32(h); });
  } else {
    widen([](uint16_t h) { return bf16_to_f32(h); });
  }
}

}  // namespace hearth
