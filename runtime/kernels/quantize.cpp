// Block layouts: ggml-common.h, as format.cpp reads them.
#include "runtime/kernels/quantize.h"

#include <cstring>

#include "runtime/base/error.h"
#include "runtime/kernels/fit_codes.h"
#include "runtime/kernels/format_codes.h"
#include "runtime/kernels/half.h"
#include "runtime/kernels/quantize_k.h"

namespace hearth {
namespace kernels {
namespace {

// Codes of 4 bits, then the fifth ones before them if the format has them.
void put_codes(const uint8_t* codes, bool has_fifth, uint8_t* out) {
  if (has_fifth) {
    uint32_t fifth = 0;
    for (int i = 0; i < kCodeBlock; ++i) fifth |= static_cast<uint32_t>(codes[i] >> 4) << i;
    std::memcpy(out, &fifth, sizeof fifth);
    out += sizeof fifth;
  }
  for (int i = 0; i < kCodeBlock / 2; ++i)
    out[i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + kCodeBlock / 2] & 15) << 4);
}

// Q4_0 and Q5_0: d[2], codes
template <int kBits>
void write_symmetric(const float* x, uint8_t* out) {
  constexpr int kMost = 1 << (kBits - 1);
  const uint16_t half = f32_to_f16(fit_symmetric<kCodeBlock>(x, kMost));
  const float per_value = inverse(f16_to_f32(half));
  uint8_t codes[kCodeBlock];
  for (int i = 0; i < kCodeBlock; ++i)
    codes[i] = static_cast<uint8_t>(clamped(nearest(per_value * x[i]), -kMost, kMost - 1) + kMost);
  std::memcpy(out, &half, sizeof half);
  put_codes(codes, kBits == 5, out + sizeof half);
}

// Q4_1 and Q5_1: d[2], m[2], codes
template <int kBits>
void write_affine(const float* x, uint8_t* out) {
  constexpr int kMost = (1 << kBits) - 1;
  const Affine fit = fit_affine<kCodeBlock>(x, kMost, /*takes_away=*/false);
  const uint16_t halves[2] = {f32_to_f16(fit.scale), f32_to_f16(fit.minimum)};
  const float per_value = inverse(f16_to_f32(halves[0])), minimum = f16_to_f32(halves[1]);
  uint8_t codes[kCodeBlock];
  for (int i = 0; i < kCodeBlock; ++i)
    codes[i] = static_cast<uint8_t>(clamped(nearest(per_value * (x[i] - minimum)), 0, kMost));
  std::memcpy(out, halves, sizeof halves);
  put_codes(codes, kBits == 5, out + sizeof halves);
}

// d[2], values[32], signed; quantize_row_q8_0_ref, which rounds ties away from 0.
void write_q8_0(const float* x, uint8_t* out) {
  constexpr float kMost = 127;
  float largest = 0;
  for (int i = 0; i < kCodeBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float d = largest / kMost, per_value = inverse(d);
  const uint16_t half = f32_to_f16(d);
  std::memcpy(out, &half, sizeof half);
  for (int i = 0; i < kCodeBlock; ++i)
    out[sizeof half + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(x[i] * per_value)));
}

using BlockWriter = void (*)(const float* values, uint8_t* block);

BlockWriter block_writer(Format format) {
  switch (format) {
    case Format::kQ4_0:
      return write_symmetric<4>;
    case Format::kQ5_0:
      return write_symmetric<5>;
    case Format::kQ4_1:
      return write_affine<4>;
    case Format::kQ5_1:
      return write_affine<5>;
    case Format::kQ8_0:
      return write_q8_0;
    case Format::kQ4_K:
      return write_q4_k;
    case Format::kQ5_K:
      return write_q5_k;
    case Format::kQ6_K:
      return write_q6_k;
    default:
      return nullptr;
  }
}

}  // namespace
}  // namespace kernels

bool can_quantize(Format format) { return info(format).block_size == 1 || kernels::block_writer(format) != nullptr; }

void quantize(Format format, const float* values, int64_t n, std::byte* blocks) {
  HEARTH_CHECK(can_quantize(format) && n % info(format).block_size == 0);
  if (format == Format::kF32) {
    if (n > 0) std::memcpy(blocks, values, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  if (format == Format::kF16 || format == Format::kBF16) {
    for (int64_t i = 0; i < n; ++i) {
      const uint16_t half = format == Format::kF16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
      std::memcpy(blocks + 2 * i, &half, sizeof half);
    }
    return;
  }
  const kernels::BlockWriter write = kernels::block_writer(format);
  const FormatInfo& layout = info(format);
  for (int64_t b = 0; b < n / layout.block_size; ++b)
    write(values + b * layout.block_size, reinterpret_cast<uint8_t*>(blocks) + b * layout.block_bytes);
}

}  // namespace hearth
