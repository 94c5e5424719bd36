// exp of sixteen floats, the same polynomial on every instruction set, within 1 unit in the last place.
#pragma once

#include <cstdint>

#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

// exp(x) = 2^i * exp(r), i = round(x / ln 2), |r| <= ln 2 / 2. exp(0) is exactly 1. Below -87.7 the result is 0 and
// above 88.4 infinite; nan stays nan.
inline Lanes exp(const Lanes& x) {
  const Lanes limited = min(Lanes::broadcast(89.f), max(Lanes::broadcast(-88.f), x));
  const Lanes shift = Lanes::broadcast(0x1.8p23f);  // adding it leaves the rounded integer in the low bits
  const Lanes shifted = fma(limited, Lanes::broadcast(0x1.715476p0f), shift);
  const Lanes i = shifted - shift;
  Lanes r = negated_fma(i, Lanes::broadcast(0x1.62e4p-1f),
                        limited);  // ln 2 in two parts: the first has 15 bits, i * it is exact
  r = negated_fma(i, Lanes::broadcast(0x1.7f7d1cp-20f), r);
  Lanes y = Lanes::broadcast(0x1.6a2434p-10f);  // minimax on [-ln 2 / 2, ln 2 / 2], relative error 3e-9
  y = fma(y, r, Lanes::broadcast(0x1.1239e2p-7f));
  y = fma(y, r, Lanes::broadcast(0x1.5558f2p-5f));
  y = fma(y, r, Lanes::broadcast(0x1.555492p-3f));
  y = fma(y, r, Lanes::broadcast(0x1.fffffcp-2f));
  y = fma(y, r, Lanes::broadcast(1.f));
  y = fma(y, r, Lanes::broadcast(1.f));
  return y * shifted_exponent(shifted, 127);
}

}  // namespace
}  // namespace hearth::kernels
