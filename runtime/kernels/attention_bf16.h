// attend_backward of attention.h with products of bf16 numbers: q, k, v, dy, the probabilities and the gradient of the
// scores are rounded to bf16, sums and everything between products stay f32. Without softcap.
#pragma once

#include "runtime/kernels/attention_kernels.h"

namespace hearth::kernels {

void attend_backward_bf16(const AttentionGradientTile& tile, Isa isa);

}  // namespace hearth::kernels
