// Loops over a row of floats, sixteen at a time.
#pragma once

#include <cstdint>

#include "runtime/kernels/lanes.h"

namespace hearth::kernels {
namespace {

// All sixteen floats at a place, or the first few of them at the end of a row.
struct Whole {
  static Lanes load(const float* p) { return Lanes::load(p); }
  static void store(const Lanes& x, float* p) { x.store(p); }
};
struct Part {
  int count;
  Lanes load(const float* p) const { return Lanes::load(p, count); }
  void store(const Lanes& x, float* p) const { x.store(p, count); }
};

// fn(part, i) for i = begin, begin + 16, ... below n.
template <class Fn>
inline void for_lanes(int64_t begin, int64_t n, Fn fn) {
  int64_t i = begin;
  for (; i + 16 <= n; i += 16) fn(Whole{}, i);
  if (i < n) fn(Part{static_cast<int>(n - i)}, i);
}

// Lanes of 0 + term(0) + term(16) + ... in four chains, which hide the latency of additions. `add` is (sum, part, i).
template <class Add>
inline Lanes in_four_chains(int64_t n, Add add) {
  Lanes s[4] = {Lanes::zero(), Lanes::zero(), Lanes::zero(), Lanes::zero()};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int chain = 0; chain < 4; ++chain) s[chain] = add(s[chain], Whole{}, i + 16 * chain);
  }
  for_lanes(i, n, [&](auto part, int64_t at) { s[0] = add(s[0], part, at); });
  return (s[0] + s[1]) + (s[2] + s[3]);
}

}  // namespace
}  // namespace hearth::kernels
