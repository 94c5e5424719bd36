// The storage formats of a frozen weight, and the block layouts behind them (ggml's, see GGUF). Only matmul and
// row-gather know formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hearth {

enum class Format : uint8_t { kF32, kF16, kBF16, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K };
inline constexpr int kFormatCount = 13;

struct FormatInfo {
  std::string_view name;  // as GGUF tools print it: "F32", "Q4_1", "Q6_K"
  int block_size;         // values in a block: a row's length is a multiple of it
  int block_bytes;
};

const FormatInfo& info(Format format);

// Bytes of a row of `in` values; `in` must be a multiple of the block size.
inline size_t row_bytes(Format format, int64_t in) {
  return static_cast<size_t>(in / info(format).block_size) * static_cast<size_t>(info(format).block_bytes);
}

// The values of `n` stored weights (n a multiple of the block size), bit for bit what ggml's dequantize_row_* computes.
void dequantize(Format format, const std::byte* blocks, int64_t n, float* values);

}  // namespace hearth
