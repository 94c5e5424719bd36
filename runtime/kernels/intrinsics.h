// x86 intrinsics for the files that are compiled for one instruction set. With HEARTH_EMULATE_AVX512 (tests only) the
// AVX-512 names are done with AVX2, fused multiply-adds included. Include this instead of <immintrin.h>, and no
// standard containers beside it: the linker could keep an AVX-512 copy of an inline function for every CPU.
#pragma once

#ifdef HEARTH_EMULATE_AVX512
#include "runtime/kernels/avx512_emulation.h"
#else
#include <immintrin.h>
#endif
