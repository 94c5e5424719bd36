#include "runtime/kernels/rows_simd.h"

namespace hearth::kernels {

const RowKernels& scalar_row_kernels() { return kRowKernels; }

}  // namespace hearth::kernels
