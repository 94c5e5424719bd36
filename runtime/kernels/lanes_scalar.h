// Sixteen floats in plain C++: the oracle of lanes_avx2.h and lanes_avx512.h, which have the same operations with the
// same results to the bit. Kernels are written once over `Lanes` and compiled once a header, each in an anonymous
// namespace, so that no instantiation is shared between instruction sets.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "runtime/kernels/half.h"

namespace hearth::kernels {
namespace {

struct Lanes {
  static constexpr int kRows = 2;  // rows of a product that share one read of the other factor
  float lane[16];

  static Lanes zero() { return broadcast(0.f); }
  static Lanes broadcast(float x) {
    Lanes y;
    for (float& v : y.lane) v = x;
    return y;
  }
  static Lanes load(const float* p) { return load(p, 16); }
  static Lanes load(const uint16_t* p) { return load(p, 16); }
  // The first n; the others are 0.
  static Lanes load(const float* p, int n) {
    Lanes y = zero();
    for (int i = 0; i < n; ++i) y.lane[i] = p[i];
    return y;
  }
  static Lanes load(const uint16_t* p, int n) {
    Lanes y = zero();
    for (int i = 0; i < n; ++i) y.lane[i] = f16_to_f32(p[i]);
    return y;
  }
  void store(float* p) const { store(p, 16); }
  void store(uint16_t* p) const {
    for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(lane[i]);
  }
  void store(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }
};

// Never inlined: sixteen copies of everything would make sanitized builds take minutes.
template <class Fn>
[[gnu::noinline]] Lanes each_lane(Fn fn) {
  Lanes y;
  for (int i = 0; i < 16; ++i) y.lane[i] = fn(i);
  return y;
}

inline Lanes operator+(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline Lanes operator-(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline Lanes operator*(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline Lanes operator/(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] / b.lane[i]; });
}
// a * b + c and c - a * b, rounded once.
inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return each_lane([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
inline Lanes negated_fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return each_lane([&](int i) { return std::fma(-a.lane[i], b.lane[i], c.lane[i]); });
}
// b where either is nan, as x86 has it.
inline Lanes max(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Lanes min(const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
// The first n lanes of a, the others of b.
inline Lanes first(int n, const Lanes& a, const Lanes& b) {
  return each_lane([&](int i) { return i < n ? a.lane[i] : b.lane[i]; });
}
// The bits of x plus `bias`, 23 places to the left: 2^i where x's lowest bits hold the integer i and bias is 127.
inline Lanes shifted_exponent(const Lanes& x, int32_t bias) {
  return each_lane([&](int i) {
    return std::bit_cast<float>((std::bit_cast<uint32_t>(x.lane[i]) + static_cast<uint32_t>(bias)) << 23);
  });
}
// Bit i is set where lane i of a and b are equal.
inline uint32_t equal_mask(const Lanes& a, const Lanes& b) {
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(a.lane[i] == b.lane[i]) << i;
  return mask;
}

// Halves are combined until one lane is left.
inline float sum_lanes(Lanes x) {
  for (int width = 8; width >= 1; width /= 2) {
    for (int i = 0; i < width; ++i) x.lane[i] = x.lane[i] + x.lane[i + width];
  }
  return x.lane[0];
}
inline float largest_lane(Lanes x) {
  for (int width = 8; width >= 1; width /= 2) {
    for (int i = 0; i < width; ++i) x.lane[i] = x.lane[i] > x.lane[i + width] ? x.lane[i] : x.lane[i + width];
  }
  return x.lane[0];
}

}  // namespace
}  // namespace hearth::kernels
