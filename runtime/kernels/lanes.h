// The Lanes of the instruction set that this file is compiled for (flags.cmake); what they are is in lanes_scalar.h.
#pragma once

#if defined(__AVX512F__) || defined(HEARTH_EMULATE_AVX512)
#include "runtime/kernels/lanes_avx512.h"
#elif defined(__AVX2__)
#include "runtime/kernels/lanes_avx2.h"
#else
#include "runtime/kernels/lanes_scalar.h"
#endif
