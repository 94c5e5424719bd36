// Values into a storage format: the way back of dequantize(). F32, F16 and BF16 round to nearest even, Q8_0 is ggml's
// bit for bit; the formats of fewer bits look for the scales whose values come nearest (least squares over a range of
// scales, as ggml's make_qkx2_quants and make_qx_quants do), every value counting alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/kernels/format.h"

namespace hearth {

// False for Q2_K and Q3_K, which are read only.
bool can_quantize(Format format);

// `n` finite values, a multiple of the format's block size -> row_bytes(format, n) bytes.
void quantize(Format format, const float* values, int64_t n, std::byte* blocks);

}  // namespace hearth
