// The one reader of ggml's quantised blocks: any 32 consecutive values of a row as unsigned codes with their scales.
// dequantize() and pack() both stand on it. A value is scale * code + minimum, or scale * (code - zero) in the
// symmetric formats, in that order of f32 operations (ggml's).
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/kernels/format.h"

namespace hearth::kernels {

inline constexpr int kCodeBlock = 32;

struct CodeTraits {
  int bits = 0;    // 4 or 8: the width that holds a code; 0 for F32, F16 and BF16, which have none
  int groups = 1;  // scales in 32 values: 1, or 2 of 16 values each
  bool has_minimum = false;
  int zero = 0;  // the code of the value 0 without a minimum
};

struct CodeBlock {
  uint8_t codes[kCodeBlock];
  float scale[2], minimum[2];  // [groups]; exact products in the K formats
};

// Reads values [32 * block, 32 * block + 32) of a row.
using BlockReader = void (*)(const std::byte* row, int64_t block, CodeBlock& out);

CodeTraits code_traits(Format format);
BlockReader block_reader(Format format);  // null without codes

}  // namespace hearth::kernels
