// The instruction sets whose kernels this test program can run. The emulated program (HEARTH_EMULATE_AVX512) has
// AVX-512 on every CPU with AVX2.
#pragma once

#include <vector>

#include "runtime/base/cpu.h"

namespace hearth {

inline std::vector<Isa> testable_isas() {
  std::vector<Isa> isas = {Isa::kScalar};
  if (isa() >= Isa::kAvx2) isas.push_back(Isa::kAvx2);
#ifdef HEARTH_EMULATE_AVX512
  if (isa() >= Isa::kAvx2) isas.push_back(Isa::kAvx512);
#else
  if (isa() >= Isa::kAvx512) isas.push_back(Isa::kAvx512);
  if (isa() >= Isa::kAmx) isas.push_back(Isa::kAmx);
#endif
  return isas;
}

}  // namespace hearth
