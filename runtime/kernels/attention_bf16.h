// attend and attend_backward of attention.h with products of bf16 numbers: q, k, v, dy, the probabilities and the
// gradient of the scores are rounded to bf16, sums and everything between products stay f32. Without softcap.
#pragma once

#include "runtime/kernels/attention_kernels.h"

namespace hearth::kernels {

// Where attention is not causal, to keys and values in rows. Needs no scratch.
void attend_bf16(const AttentionTile& tile, Isa isa);
void attend_backward_bf16(const AttentionGradientTile& tile, Isa isa);

}  // namespace hearth::kernels
