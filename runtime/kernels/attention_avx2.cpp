#include "runtime/kernels/attention_backward_simd.h"
#include "runtime/kernels/attention_simd.h"
#include "runtime/kernels/attention_softmax_simd.h"

namespace hearth::kernels {
namespace {

constexpr AttentionKernels kAttentionKernels = {attend_tile, attend_backward_tile, differentiate_square, soften_rows,
                                                write_block};

}  // namespace

const AttentionKernels& avx2_attention_kernels() { return kAttentionKernels; }

}  // namespace hearth::kernels
