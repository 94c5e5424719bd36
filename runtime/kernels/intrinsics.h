// x86 intrinsics for the files that are compiled for one instruction set. With HEARTH_EMULATE_AVX512 (tests only) the AVX-512 names are SIMDe's, which does
// them with AVX2, fused multiply-adds included. Include this instead of <immintrin.h>, and no standard containers beside it: the linker could keep an
// AVX-512 copy of an inline function for every CPU.
#pragma once

#ifdef HEARTH_EMULATE_AVX512
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#else
#include <immintrin.h>
#endif
