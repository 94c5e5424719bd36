// A Weight as kernels see it.
#pragma once

#include "runtime/kernels/matmul.h"
#include "runtime/weight.h"

namespace hearth::ops {

inline kernels::WeightView view(const Weight& w) { return {w.format(), w.out(), w.in(), w.row(0), w.packed()}; }

}  // namespace hearth::ops
