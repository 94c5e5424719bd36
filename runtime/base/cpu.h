// What this CPU can do, read once from CPUID.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// The kernel sets that exist, each a superset of the one before.
enum class Isa {
  kScalar,  // portable C++: the oracle of the others
  kAvx2,    // AVX2, FMA, F16C
  kAvx512,  // AVX-512 F, BW, DQ, VL, VNNI, BF16
  kAmx,     // AMX tiles of bf16
};

std::string_view to_string(Isa isa);

// The best set for this CPU, or the one that HEARTH_ISA (scalar, avx2, avx512, amx) names. Throws kInvalidArgument when
// the variable names an unknown set or one that this CPU lacks.
Isa isa();

// "AMD EPYC ..., 2 threads, avx512" for logs and `hearth env`.
std::string cpu_description();

}  // namespace hearth
