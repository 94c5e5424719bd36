// A matrix laid out for the fast kernels, in panels of 16 outputs.
//
// For integer dot products every quantised format of ggml's becomes value = scale * code + minimum (or scale *
// (code - zero)) with an unsigned code of 4 or 8 bits:
//   [panel][block of 32 inputs] { codes  scales f16 [groups][16]  minimums f16 [groups][16] when the format has them }
// Codes are 32-bit words [word][16 outputs] whose 16-bit halves belong to an even and an odd input, so that a shift and
// a mask of a register of words give pairs of 16-bit codes for a multiply-add of pairs:
//   8 bits: word w = inputs 4w + {0, 2} in the low half's bytes, 4w + {1, 3} in the high half's
//   4 bits: word w = inputs 8w + {0, 2, 4, 6} in the low half's nibbles, 8w + {1, 3, 5, 7} in the high half's
//
// For products of bf16 numbers any format becomes its values, rounded to nearest even (bits = 16, no scales):
//   [panel][block of 32 inputs] { bf16 [16 pairs of inputs][16 outputs][2] }; inputs past the last are zero
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/base/cpu.h"
#include "runtime/kernels/format.h"

namespace hearth::kernels {

inline constexpr int kPanelOutputs = 16;
inline constexpr int kPackedBlock = 32;

struct PackedWeight {
  int64_t out = 0, in = 0;
  int bits = 0;    // 4 or 8; 16: bf16
  int groups = 0;  // scales in a block: 1 (32 inputs share one) or 2 (16 inputs)
  bool has_minimum = false;
  int zero = 0;  // code of the value 0 when there is no minimum
  size_t block_bytes = 0, panel_bytes = 0;
  std::unique_ptr<std::byte[], void (*)(std::byte*)> data{nullptr,
                                                          nullptr};  // 64-byte aligned; outputs past `out` are zero

  bool is_bf16() const { return bits == 16; }
  int64_t panels() const { return (out + kPanelOutputs - 1) / kPanelOutputs; }
  int64_t blocks() const { return (in + kPackedBlock - 1) / kPackedBlock; }
  const std::byte* panel(int64_t p) const { return data.get() + p * panel_bytes; }
};

// True for formats whose products are computed on codes: all but F32, F16 and BF16. `in` must be a multiple of 32.
bool can_pack(Format format, int64_t in);

// `rows`: `out` rows of row_bytes(format, in). Scales of the K formats are products rounded to f16 (relative error
// 2^-11).
std::unique_ptr<PackedWeight> pack(Format format, int64_t out, int64_t in, const std::byte* rows);

// The same for products of bf16 numbers, any format and `in`.
std::unique_ptr<PackedWeight> pack_bf16(Format format, int64_t out, int64_t in, const std::byte* rows,
                                        Isa isa = hearth::isa());

// Outputs [output, output + outputs) of `w`, which must outlive the result; `output` is a multiple of 16.
PackedWeight slice(const PackedWeight& w, int64_t output, int64_t outputs);
// One output's values of a weight in bf16 -> [in]
void unpack_row(const PackedWeight& w, int64_t output, float* values);

}  // namespace hearth::kernels
