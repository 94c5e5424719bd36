// Activations and their slopes, written once over Lanes.
#pragma once

#include <cstdint>

#include "runtime/kernels/activation.h"
#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/functions.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/rows.h"

namespace hearth::kernels {
namespace {

struct Silu {
  static Lanes value(const Lanes& x) { return x * sigmoid(x); }
  static Lanes slope(const Lanes& x) {
    const Lanes one = Lanes::broadcast(1.f), s = sigmoid(x);
    return s * fma(x, one - s, one);
  }
};

struct Gelu {
  static Lanes share(const Lanes& x) {  // of a normal distribution below x
    const Lanes half = Lanes::broadcast(0.5f);
    return fma(half, erf(x * Lanes::broadcast(0x1.6a09e6p-1f)), half);  // sqrt(1/2)
  }
  static Lanes value(const Lanes& x) { return x * share(x); }
  static Lanes slope(const Lanes& x) {
    const Lanes density = exp(x * x * Lanes::broadcast(-0.5f)) * Lanes::broadcast(0x1.988454p-2f);  // 1 / sqrt(2 pi)
    return fma(x, density, share(x));
  }
};

// (1 + tanh(u)) / 2 is sigmoid(2u), without the cancellation where tanh nears -1.
struct GeluTanh {
  static constexpr float kTwice = 0x1.988454p0f;  // 2 sqrt(2 / pi)
  static constexpr float kCubic = 0.044715f;
  static Lanes share(const Lanes& x) {
    const Lanes inner = fma(x * x, Lanes::broadcast(kCubic), Lanes::broadcast(1.f));
    return sigmoid(x * Lanes::broadcast(kTwice) * inner);
  }
  static Lanes value(const Lanes& x) { return x * share(x); }
  static Lanes slope(const Lanes& x) {
    const Lanes one = Lanes::broadcast(1.f), s = share(x);
    const Lanes inner = fma(x * x, Lanes::broadcast(3 * kCubic), one) * Lanes::broadcast(kTwice);
    return s * fma(x * inner, one - s, one);
  }
};

struct QuickGelu {
  static Lanes steep(const Lanes& x) { return x * Lanes::broadcast(1.702f); }
  static Lanes value(const Lanes& x) { return x * sigmoid(steep(x)); }
  static Lanes slope(const Lanes& x) {
    const Lanes one = Lanes::broadcast(1.f), s = sigmoid(steep(x));
    return s * fma(steep(x), one - s, one);
  }
};

// fn(Silu{}) or the like.
template <class Fn>
inline void with(Activation activation, Fn fn) {
  switch (activation) {
    case Activation::kSilu:
      return fn(Silu{});
    case Activation::kGelu:
      return fn(Gelu{});
    case Activation::kGeluTanh:
      return fn(GeluTanh{});
    case Activation::kQuickGelu:
      return fn(QuickGelu{});
  }
}

inline void activate(const float* x, Activation activation, int64_t n, float* y) {
  with(activation,
       [=](auto f) { for_lanes(0, n, [=](auto part, int64_t i) { part.store(f.value(part.load(x + i)), y + i); }); });
}

inline void activate_backward(const float* x, const float* dy, Activation activation, int64_t n, float* dx) {
  with(activation, [=](auto f) {
    for_lanes(0, n, [=](auto part, int64_t i) {
      part.store(fma(part.load(dy + i), f.slope(part.load(x + i)), part.load(dx + i)), dx + i);
    });
  });
}

inline void gated(const float* gate, const float* up, Activation activation, int64_t n, float* y) {
  with(activation, [=](auto f) {
    for_lanes(0, n, [=](auto part, int64_t i) { part.store(f.value(part.load(gate + i)) * part.load(up + i), y + i); });
  });
}

inline void gated_backward(const GatedGradient& g, Activation activation, int64_t begin, int64_t end) {
  with(activation, [=](auto f) {
    for_lanes(begin, end, [=](auto part, int64_t i) {
      const Lanes x = part.load(g.gate + i), d = part.load(g.dy + i);
      if (g.dgate) {
        float* dgate = g.dgate.values + i;
        part.store(fma(d * part.load(g.up + i), f.slope(x), g.dgate.adds ? part.load(dgate) : Lanes::zero()), dgate);
      }
      if (g.dup) {
        float* dup = g.dup.values + i;
        part.store(fma(d, f.value(x), g.dup.adds ? part.load(dup) : Lanes::zero()), dup);
      }
    });
  });
}

// x = cap * tanh(x / cap)
inline void softcap(float* x, float cap, int64_t n) {
  const Softcap f(cap);
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(f.value(part.load(x + i)), x + i); });
}

inline void softcap_slope(const float* capped, float cap, int64_t n, float* dy) {
  const Softcap f(cap);
  for_lanes(0, n,
            [=](auto part, int64_t i) { part.store(part.load(dy + i) * f.slope(part.load(capped + i)), dy + i); });
}

}  // namespace
}  // namespace hearth::kernels
