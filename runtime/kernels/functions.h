// exp, tanh, erf and sigmoid of sixteen floats, the same polynomials on every instruction set. exp is within 1 unit in
// the last place; tanh and erf have a relative error below 5e-7, near 0 too. nan stays nan.
#pragma once

#include <cstdint>

#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

// x = i ln 2 + r with i = round(x / ln 2) and |r| <= ln 2 / 2; x in [-88, 89].
struct ExpParts {
  Lanes power;  // 2^i
  Lanes r;
  Lanes slope;  // (exp(r) - 1) / r
};

inline ExpParts exp_parts(const Lanes& x) {
  const Lanes shift = Lanes::broadcast(0x1.8p23f);  // adding it leaves the rounded integer in the low bits
  const Lanes shifted = fma(x, Lanes::broadcast(0x1.715476p0f), shift);
  const Lanes i = shifted - shift;
  // ln 2 in two parts: the first has 15 bits, i * it is exact
  Lanes r = negated_fma(i, Lanes::broadcast(0x1.62e4p-1f), x);
  r = negated_fma(i, Lanes::broadcast(0x1.7f7d1cp-20f), r);
  Lanes y = Lanes::broadcast(0x1.6a2434p-10f);  // minimax on [-ln 2 / 2, ln 2 / 2], relative error 3e-9
  y = fma(y, r, Lanes::broadcast(0x1.1239e2p-7f));
  y = fma(y, r, Lanes::broadcast(0x1.5558f2p-5f));
  y = fma(y, r, Lanes::broadcast(0x1.555492p-3f));
  y = fma(y, r, Lanes::broadcast(0x1.fffffcp-2f));
  y = fma(y, r, Lanes::broadcast(1.f));
  return {shifted_exponent(shifted, 127), r, y};
}

// exp(0) is exactly 1. Below -87.7 the result is 0 and above 88.4 infinite.
inline Lanes exp(const Lanes& x) {
  const ExpParts parts = exp_parts(min(Lanes::broadcast(89.f), max(Lanes::broadcast(-88.f), x)));
  return fma(parts.slope, parts.r, Lanes::broadcast(1.f)) * parts.power;
}

// exp(x) - 1 for |x| <= 80, without cancellation near 0.
inline Lanes expm1(const Lanes& x) {
  const ExpParts parts = exp_parts(x);
  return fma(parts.power, parts.slope * parts.r, parts.power - Lanes::broadcast(1.f));
}

inline Lanes sigmoid(const Lanes& x) {
  const Lanes one = Lanes::broadcast(1.f);
  return one / (one + exp(Lanes::zero() - x));
}

// (exp(2x) - 1) / (exp(2x) + 1); 1 from 10 on.
inline Lanes tanh(const Lanes& x) {
  const Lanes e = expm1(min(Lanes::broadcast(20.f), max(Lanes::broadcast(-20.f), x + x)));
  return e / (e + Lanes::broadcast(2.f));
}

// 1 - exp(log(1 - erf|x|)) with the sign of x. log(1 - erf(t)) / t is smooth: a minimax polynomial on [0, 4], where erf
// reaches 1, with weights that make the relative error of erf 4e-9.
inline Lanes erf(const Lanes& x) {
  const Lanes t = min(Lanes::broadcast(4.f), max(Lanes::zero() - x, x));
  Lanes y = Lanes::broadcast(0x1.369e7ep-17f);
  y = fma(y, t, Lanes::broadcast(-0x1.ed756ap-14f));
  y = fma(y, t, Lanes::broadcast(0x1.4bce28p-11f));
  y = fma(y, t, Lanes::broadcast(-0x1.b50468p-10f));
  y = fma(y, t, Lanes::broadcast(0x1.5082e2p-13f));
  y = fma(y, t, Lanes::broadcast(0x1.39cd9cp-6f));
  y = fma(y, t, Lanes::broadcast(-0x1.a4fa5ap-4f));
  y = fma(y, t, Lanes::broadcast(-0x1.45f2fap-1f));
  y = fma(y, t, Lanes::broadcast(-0x1.20dd76p0f));
  return copy_sign(expm1(y * t), x);
}

// cap * tanh(x / cap), and its slope by its value.
struct Softcap {
  explicit Softcap(float cap) : limit(Lanes::broadcast(cap)), inverse(Lanes::broadcast(1.f / cap)) {}
  Lanes value(const Lanes& x) const { return tanh(x * inverse) * limit; }
  Lanes slope(const Lanes& capped) const {
    const Lanes t = capped * inverse;
    return negated_fma(t, t, Lanes::broadcast(1.f));
  }
  Lanes limit, inverse;
};

}  // namespace
}  // namespace hearth::kernels
