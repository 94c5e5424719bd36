// A Weight as kernels see it.
#pragma once

#include "runtime/kernels/dense.h"
#include "runtime/kernels/matmul.h"
#include "runtime/weight.h"

namespace hearth::ops {

inline kernels::WeightView view(const Weight& w) { return {w.format(), w.out(), w.in(), w.row(0), w.packed()}; }

// That of products with a trained matrix which stands in the place of `w`.
inline kernels::DensePrecision precision_of(const Weight& w) {
  return w.is_bf16() ? kernels::DensePrecision::kBFloat16 : kernels::DensePrecision::kFloat32;
}

}  // namespace hearth::ops
