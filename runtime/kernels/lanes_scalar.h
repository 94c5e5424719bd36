// Sixteen floats in plain C++: the oracle of lanes_avx2.h and lanes_avx512.h, which have the same operations with the
// same results to the bit. Kernels are written once over `Lanes` and compiled once a header, each in an anonymous
// namespace, so that no instantiation is shared between instruction sets.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "runtime/kernels/half.h"

namespace hearth::kernels {
namespace {

// Four of gcc's generic vectors, which cost a fraction of the compile time of loops over an array.
using Four = float __attribute__((vector_size(16)));
using FourBits = uint32_t __attribute__((vector_size(16)));

struct Lanes {
  static constexpr int kRows = 2;  // rows of a product that share one read of the other factor
  Four part[4];

  float lane(int i) const { return part[i / 4][i % 4]; }
  void set(int i, float value) { part[i / 4][i % 4] = value; }

  static Lanes zero() { return broadcast(0.f); }
  static Lanes broadcast(float x) {
    const Four four = {x, x, x, x};
    return {{four, four, four, four}};
  }
  static Lanes load(const float* p) {
    Lanes y;
    std::memcpy(y.part, p, sizeof y.part);
    return y;
  }
  static Lanes load(const uint16_t* p) { return load(p, 16); }
  // The first n; the others are 0.
  static Lanes load(const float* p, int n) {
    Lanes y = zero();
    for (int i = 0; i < n; ++i) y.set(i, p[i]);
    return y;
  }
  static Lanes load(const uint16_t* p, int n) {
    Lanes y = zero();
    for (int i = 0; i < n; ++i) y.set(i, f16_to_f32(p[i]));
    return y;
  }
  void store(float* p) const { std::memcpy(p, part, sizeof part); }
  void store(uint16_t* p) const {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(lane(i));
  }
  void store(float* p, int n) const { std::memcpy(p, part, n * sizeof(float)); }
};

template <class Fn>
inline Lanes each_part(Fn fn) {
  return {{fn(0), fn(1), fn(2), fn(3)}};
}

inline Lanes operator+(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] + b.part[i]; });
}
inline Lanes operator-(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] - b.part[i]; });
}
inline Lanes operator*(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] * b.part[i]; });
}
inline Lanes operator/(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] / b.part[i]; });
}
// a * b + c and c - a * b, rounded once.
[[gnu::noinline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  Lanes y;
  for (int i = 0; i < 16; ++i) y.set(i, std::fma(a.lane(i), b.lane(i), c.lane(i)));
  return y;
}
inline Lanes negated_fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return fma(each_part([&](int i) { return -a.part[i]; }), b, c);
}
[[gnu::noinline]] inline Lanes sqrt(const Lanes& x) {
  Lanes y;
  for (int i = 0; i < 16; ++i) y.set(i, std::sqrt(x.lane(i)));
  return y;
}
// b where either is nan, as x86 has it.
inline Lanes max(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] > b.part[i] ? a.part[i] : b.part[i]; });
}
inline Lanes min(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) { return a.part[i] < b.part[i] ? a.part[i] : b.part[i]; });
}
// The first n lanes of a, the others of b.
[[gnu::noinline]] inline Lanes first(int n, const Lanes& a, const Lanes& b) {
  Lanes y = b;
  for (int i = 0; i < 16 && i < n; ++i) y.set(i, a.lane(i));
  return y;
}
// |a| with the sign of b.
inline Lanes copy_sign(const Lanes& a, const Lanes& b) {
  return each_part([&](int i) {
    const FourBits sign = {0x80000000u, 0x80000000u, 0x80000000u, 0x80000000u};
    return std::bit_cast<Four>((std::bit_cast<FourBits>(a.part[i]) & ~sign) |
                               (std::bit_cast<FourBits>(b.part[i]) & sign));
  });
}
// Sixteen numbers of bf16, rounded to nearest even; nan stays nan. (AVX-512 makes subnormal numbers 0.)
inline void store_bf16(const Lanes& x, uint16_t* p) {
  for (int i = 0; i < 16; ++i) p[i] = f32_to_bf16(x.lane(i));
}
inline Lanes load_bf16(const uint16_t* p) {
  Lanes y;
  for (int i = 0; i < 16; ++i) y.set(i, bf16_to_f32(p[i]));
  return y;
}
// Lanes 1, 0, 3, 2, ...
inline Lanes swap_neighbours(const Lanes& x) {
  return each_part([&](int i) {
    const Four& p = x.part[i];
    return Four{p[1], p[0], p[3], p[2]};
  });
}
// The bits of x plus `bias`, 23 places to the left: 2^i where x's lowest bits hold the integer i and bias is 127.
inline Lanes shifted_exponent(const Lanes& x, int32_t bias) {
  return each_part([&](int i) {
    return std::bit_cast<Four>((std::bit_cast<FourBits>(x.part[i]) + static_cast<uint32_t>(bias)) << 23);
  });
}
// Bit i is set where lane i of a and b are equal.
inline uint32_t equal_mask(const Lanes& a, const Lanes& b) {
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(a.lane(i) == b.lane(i)) << i;
  return mask;
}

// Halves are combined until one lane is left.
inline float sum_lanes(const Lanes& x) {
  const Four s = (x.part[0] + x.part[2]) + (x.part[1] + x.part[3]);
  return (s[0] + s[2]) + (s[1] + s[3]);
}
inline float largest_lane(const Lanes& x) {
  float largest = x.lane(0);
  for (int i = 1; i < 16; ++i) largest = largest > x.lane(i) ? largest : x.lane(i);
  return largest;
}

}  // namespace
}  // namespace hearth::kernels
