// The row kernels, written once over Lanes, and compiled once an instruction set.
#pragma once

#include <cstdint>

#include "runtime/kernels/exp.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/rows.h"
#include "runtime/kernels/rows_kernels.h"

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

inline Lanes sigmoid(const Lanes& x) {
  const Lanes one = Lanes::broadcast(1.f);
  return one / (one + exp(Lanes::zero() - x));
}

inline void add(const float* a, const float* b, int64_t n, float* y) {
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(a + i) + part.load(b + i), y + i); });
}

inline void multiply(const float* a, const float* b, int64_t n, float* y) {
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(a + i) * part.load(b + i), y + i); });
}

inline void scale(const float* x, float factor, int64_t n, float* y) {
  const Lanes f = Lanes::broadcast(factor);
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(x + i) * f, y + i); });
}

inline void add_scaled(const float* x, float factor, int64_t n, float* y) {
  const Lanes f = Lanes::broadcast(factor);
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(fma(part.load(x + i), f, part.load(y + i)), y + i); });
}

inline void add_product(const float* a, const float* b, float factor, int64_t n, float* y) {
  const Lanes f = Lanes::broadcast(factor);
  for_lanes(0, n, [=](auto part, int64_t i) {
    part.store(fma(part.load(a + i) * f, part.load(b + i), part.load(y + i)), y + i);
  });
}

inline void silu_multiply(const float* gate, const float* up, int64_t n, float* y) {
  for_lanes(0, n, [=](auto part, int64_t i) {
    const Lanes g = part.load(gate + i);
    part.store(g * sigmoid(g) * part.load(up + i), y + i);
  });
}

inline void silu_multiply_backward(const float* gate, const float* up, const float* dy, int64_t n, float* dgate,
                                   float* dup) {
  const Lanes one = Lanes::broadcast(1.f);
  for_lanes(0, n, [=](auto part, int64_t i) {
    const Lanes g = part.load(gate + i), d = part.load(dy + i), s = sigmoid(g);
    if (dup) part.store(fma(d, g * s, part.load(dup + i)), dup + i);
    if (dgate) {
      const Lanes slope = s * fma(g, one - s, one);
      part.store(fma(d * part.load(up + i), slope, part.load(dgate + i)), dgate + i);
    }
  });
}

inline void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t n, float* y,
                     float* inverse_rms) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const Lanes squares = in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) {
      const Lanes v = part.load(x + i);
      return fma(v, v, sum);
    });
    const float inverse = 1.f / __builtin_sqrtf(sum_lanes(squares) / static_cast<float>(n) + eps);
    if (inverse_rms) inverse_rms[r] = inverse;
    const Lanes f = Lanes::broadcast(inverse);
    for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(x + i) * f * part.load(weight + i), y + i); });
  }
}

// dx = inverse * (w dy - x * inverse^2 / n * sum(w dy x))
inline void rms_norm_backward(const float* x, const float* weight, const float* inverse_rms, const float* dy,
                              int64_t rows, int64_t n, float* dx) {
  for (int64_t r = 0; r < rows; ++r, x += n, dy += n, dx += n) {
    const Lanes dots = in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) {
      return fma(part.load(x + i) * part.load(weight + i), part.load(dy + i), sum);
    });
    const float inverse = inverse_rms[r];
    const Lanes f = Lanes::broadcast(inverse);
    const Lanes back = Lanes::broadcast(inverse * inverse * inverse / static_cast<float>(n) * sum_lanes(dots));
    for_lanes(0, n, [=](auto part, int64_t i) {
      const Lanes sum = fma(part.load(weight + i) * f, part.load(dy + i), part.load(dx + i));
      part.store(negated_fma(part.load(x + i), back, sum), dx + i);
    });
  }
}

inline void rotate(const float* x, const Rotation& rotation, int64_t begin, int64_t end, float* y) {
  const int64_t pairs = rotation.pairs, head_dim = rotation.head_dim;
  const int64_t stride = rotation.heads * head_dim;
  for (int64_t r = begin; r < end; ++r) {
    const float* cosines = rotation.cosines + r * pairs;
    const float* sines = rotation.sines + r * pairs;
    for (int64_t h = 0; h < rotation.heads; ++h) {
      const float* in = x + r * stride + h * head_dim;
      float* out = y + r * stride + h * head_dim;
      for_lanes(0, pairs, [=](auto part, int64_t i) {
        const Lanes u = part.load(in + i), v = part.load(in + pairs + i);
        const Lanes c = part.load(cosines + i), s = part.load(sines + i);
        part.store(negated_fma(v, s, u * c), out + i);
        part.store(fma(u, s, v * c), out + pairs + i);
      });
      for_lanes(2 * pairs, head_dim, [=](auto part, int64_t i) { part.store(part.load(in + i), out + i); });
    }
  }
}

inline void rotate_backward(const float* dy, const Rotation& rotation, int64_t begin, int64_t end, float* dx) {
  const int64_t pairs = rotation.pairs, head_dim = rotation.head_dim;
  const int64_t stride = rotation.heads * head_dim;
  for (int64_t r = begin; r < end; ++r) {
    const float* cosines = rotation.cosines + r * pairs;
    const float* sines = rotation.sines + r * pairs;
    for (int64_t h = 0; h < rotation.heads; ++h) {
      const float* in = dy + r * stride + h * head_dim;
      float* out = dx + r * stride + h * head_dim;
      for_lanes(0, pairs, [=](auto part, int64_t i) {
        const Lanes u = part.load(in + i), v = part.load(in + pairs + i);
        const Lanes c = part.load(cosines + i), s = part.load(sines + i);
        part.store(part.load(out + i) + fma(v, s, u * c), out + i);
        part.store(part.load(out + pairs + i) + negated_fma(u, s, v * c), out + pairs + i);
      });
      for_lanes(2 * pairs, head_dim,
                [=](auto part, int64_t i) { part.store(part.load(out + i) + part.load(in + i), out + i); });
    }
  }
}

inline float largest(const float* x, int64_t n) {
  const Lanes least = Lanes::broadcast(-__builtin_inff());
  Lanes top[4] = {least, least, least, least};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int chain = 0; chain < 4; ++chain) top[chain] = max(Lanes::load(x + i + 16 * chain), top[chain]);
  }
  for (; i + 16 <= n; i += 16) top[0] = max(Lanes::load(x + i), top[0]);
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    top[0] = max(first(rest, Lanes::load(x + i, rest), least), top[0]);
  }
  return largest_lane(max(max(top[0], top[1]), max(top[2], top[3])));
}

inline float log_sum_exp(const float* x, int64_t n) {
  const float top = largest(x, n);
  const Lanes shift = Lanes::broadcast(top);
  const int64_t whole = n / 16 * 16;
  Lanes sums = in_four_chains(
      whole, [=](const Lanes& sum, auto part, int64_t i) { return sum + exp(part.load(x + i) - shift); });
  if (whole < n) {
    const int rest = static_cast<int>(n - whole);
    sums = sums + first(rest, exp(Lanes::load(x + whole, rest) - shift), Lanes::zero());
  }
  return top + __builtin_logf(sum_lanes(sums));
}

inline int64_t argmax(const float* x, int64_t n) {
  const Lanes top = Lanes::broadcast(largest(x, n));
  for (int64_t i = 0; i < n; i += 16) {
    const int count = n - i < 16 ? static_cast<int>(n - i) : 16;
    const Lanes v = count == 16 ? Lanes::load(x + i) : Lanes::load(x + i, count);
    const uint32_t mask = equal_mask(v, top) & ((1u << count) - 1);
    if (mask) return i + __builtin_ctz(mask);
  }
  return 0;
}

inline void scaled_softmax(float* x, float log_sum, float factor, int64_t n) {
  const Lanes shift = Lanes::broadcast(log_sum), f = Lanes::broadcast(factor);
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(exp(part.load(x + i) - shift) * f, x + i); });
}

inline constexpr RowKernels kRowKernels = {
    add,      multiply,          scale,  add_scaled,      add_product, silu_multiply, silu_multiply_backward,
    rms_norm, rms_norm_backward, rotate, rotate_backward, log_sum_exp, argmax,        scaled_softmax};

}  // namespace
}  // namespace hearth::kernels
