// The row kernels, written once over Lanes, and compiled once an instruction set.
#pragma once

#include <cstdint>

#include "runtime/kernels/activation_simd.h"
#include "runtime/kernels/adamw_simd.h"
#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/functions.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/norm_simd.h"
#include "runtime/kernels/rows.h"
#include "runtime/kernels/rows_kernels.h"

namespace hearth::kernels {
namespace {

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

inline void round_bf16(const float* x, int64_t n, uint16_t* y) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store_bf16(Lanes::load(x + i), y + i);
  if (i == n) return;
  uint16_t last[16];
  store_bf16(Lanes::load(x + i, static_cast<int>(n - i)), last);
  for (int k = 0; i < n; ++i, ++k) y[i] = last[k];
}

inline void widen_bf16(const uint16_t* x, int64_t n, float* y) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) load_bf16(x + i).store(y + i);
  if (i == n) return;
  uint16_t last[16] = {};
  for (int64_t k = 0; i + k < n; ++k) last[k] = x[i + k];
  load_bf16(last).store(y + i, static_cast<int>(n - i));
}

// fn(cosines, sines, floats from the row's start) for every head of the rows.
template <class Fn>
inline void for_heads(const Rotation& rotation, int64_t begin, int64_t end, Fn fn) {
  const int64_t angles = rotation.neighbours ? 2 * rotation.pairs : rotation.pairs;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * rotation.heads * rotation.head_dim;
    for (int64_t h = 0; h < rotation.heads; ++h)
      fn(rotation.cosines + r * angles, rotation.sines + r * angles, row + h * rotation.head_dim);
  }
}

inline void rotate(const float* x, const Rotation& rotation, int64_t begin, int64_t end, float* y) {
  const int64_t pairs = rotation.pairs, head_dim = rotation.head_dim;
  for_heads(rotation, begin, end, [=](const float* cosines, const float* sines, int64_t at) {
    const float* in = x + at;
    float* out = y + at;
    if (rotation.neighbours) {
      for_lanes(0, 2 * pairs, [=](auto part, int64_t i) {
        const Lanes v = part.load(in + i);
        part.store(fma(swap_neighbours(v), part.load(sines + i), v * part.load(cosines + i)), out + i);
      });
    } else {
      for_lanes(0, pairs, [=](auto part, int64_t i) {
        const Lanes u = part.load(in + i), v = part.load(in + pairs + i);
        const Lanes c = part.load(cosines + i), s = part.load(sines + i);
        part.store(negated_fma(v, s, u * c), out + i);
        part.store(fma(u, s, v * c), out + pairs + i);
      });
    }
    for_lanes(2 * pairs, head_dim, [=](auto part, int64_t i) { part.store(part.load(in + i), out + i); });
  });
}

inline void rotate_backward(const float* dy, const Rotation& rotation, int64_t begin, int64_t end, GradientSum dx) {
  const int64_t pairs = rotation.pairs, head_dim = rotation.head_dim;
  const auto add = [adds = dx.adds](auto part, Lanes v, float* out) {
    part.store(adds ? part.load(out) + v : Lanes::zero() + v, out);
  };
  for_heads(rotation, begin, end, [=](const float* cosines, const float* sines, int64_t at) {
    const float* in = dy + at;
    float* out = dx.values + at;
    if (rotation.neighbours) {
      for_lanes(0, 2 * pairs, [=](auto part, int64_t i) {
        const Lanes v = part.load(in + i);
        add(part, negated_fma(swap_neighbours(v), part.load(sines + i), v * part.load(cosines + i)), out + i);
      });
    } else {
      for_lanes(0, pairs, [=](auto part, int64_t i) {
        const Lanes u = part.load(in + i), v = part.load(in + pairs + i);
        const Lanes c = part.load(cosines + i), s = part.load(sines + i);
        add(part, fma(v, s, u * c), out + i);
        add(part, negated_fma(u, s, v * c), out + pairs + i);
      });
    }
    for_lanes(2 * pairs, head_dim, [=](auto part, int64_t i) { add(part, part.load(in + i), out + i); });
  });
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

// A sum over 16 lanes of two chains each, which take turns.
inline ExpSums exp_sums(float* x, float shift, int64_t n) {
  const Lanes least = Lanes::broadcast(-__builtin_inff()), by = Lanes::broadcast(shift);
  struct Chain {
    Lanes squares, products, logits, largest;
  };
  Chain chains[2] = {{Lanes::zero(), Lanes::zero(), Lanes::zero(), least},
                     {Lanes::zero(), Lanes::zero(), Lanes::zero(), least}};
  const auto add = [&](Chain& to, const Lanes& v, int count) {
    const Lanes distance = v - by;
    Lanes e = exp(distance);
    if (count < 16) e = first(count, e, Lanes::zero());
    to.squares = fma(e, e, to.squares);
    to.products = fma(e, count < 16 ? first(count, distance, Lanes::zero()) : distance, to.products);
    to.logits = to.logits + (count < 16 ? first(count, v, Lanes::zero()) : v);
    to.largest = max(count < 16 ? first(count, v, least) : v, to.largest);
    return e;
  };
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) add(chains[i / 16 % 2], Lanes::load(x + i), 16).store(x + i);
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    add(chains[i / 16 % 2], Lanes::load(x + i, rest), rest).store(x + i, rest);
  }
  const auto total = [&](Lanes Chain::*sum) { return sum_lanes(chains[0].*sum + chains[1].*sum); };
  return {total(&Chain::squares), total(&Chain::products), total(&Chain::logits),
          largest_lane(max(chains[0].largest, chains[1].largest))};
}

// Divides by the sum instead of subtracting its logarithm, which would cost the bits of that.
inline void softmax(const float* x, int64_t n, float* y) {
  const Lanes shift = Lanes::broadcast(largest(x, n));
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(exp(part.load(x + i) - shift), y + i); });
  const float total =
      sum_lanes(in_four_chains(n, [=](const Lanes& s, auto part, int64_t i) { return s + part.load(y + i); }));
  const Lanes share = Lanes::broadcast(1.f / total);
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(y + i) * share, y + i); });
}

inline float dot(const float* a, const float* b, int64_t n) {
  return sum_lanes(in_four_chains(
      n, [=](const Lanes& s, auto part, int64_t i) { return fma(part.load(a + i), part.load(b + i), s); }));
}

// dx += y * (dy - sum(y dy))
inline void softmax_backward(const float* y, const float* dy, int64_t n, float* dx) {
  const Lanes back = Lanes::broadcast(dot(y, dy, n));
  for_lanes(0, n, [=](auto part, int64_t i) {
    part.store(fma(part.load(y + i), part.load(dy + i) - back, part.load(dx + i)), dx + i);
  });
}

// Of a row; a row of zeros stays zeros.
inline float inverse_sum(const float* x, int64_t n) {
  constexpr float kLeast = 1e-20f;
  return 1.f /
         (sum_lanes(in_four_chains(n, [=](const Lanes& s, auto part, int64_t i) { return s + part.load(x + i); })) +
          kLeast);
}

inline void shares(const float* x, int64_t n, float* y) { scale(x, inverse_sum(x, n), n, y); }

// dx += (dy - sum(x dy) / sum(x)) / sum(x)
inline void shares_backward(const float* x, const float* dy, int64_t n, float* dx) {
  const float inverse = inverse_sum(x, n);
  const Lanes f = Lanes::broadcast(inverse), back = Lanes::broadcast(dot(x, dy, n) * inverse);
  for_lanes(0, n,
            [=](auto part, int64_t i) { part.store(fma(part.load(dy + i) - back, f, part.load(dx + i)), dx + i); });
}

inline void sigmoid(const float* x, int64_t n, float* y) {
  for_lanes(0, n, [=](auto part, int64_t i) { part.store(sigmoid(part.load(x + i)), y + i); });
}

inline void sigmoid_backward(const float* y, const float* dy, int64_t n, float* dx) {
  const Lanes one = Lanes::broadcast(1.f);
  for_lanes(0, n, [=](auto part, int64_t i) {
    const Lanes v = part.load(y + i);
    part.store(fma(part.load(dy + i), v * (one - v), part.load(dx + i)), dx + i);
  });
}

inline constexpr RowKernels kRowKernels = {add,
                                           multiply,
                                           scale,
                                           add_scaled,
                                           add_product,
                                           round_bf16,
                                           widen_bf16,
                                           activate,
                                           activate_backward,
                                           gated,
                                           gated_backward,
                                           softcap,
                                           softcap_slope,
                                           rms_norm,
                                           rms_norm_backward,
                                           layer_norm,
                                           layer_norm_backward,
                                           layer_norm_weight,
                                           rotate,
                                           rotate_backward,
                                           sigmoid,
                                           sigmoid_backward,
                                           adamw,
                                           softmax,
                                           softmax_backward,
                                           shares,
                                           shares_backward,
                                           dot,
                                           log_sum_exp,
                                           argmax,
                                           scaled_softmax,
                                           exp_sums};

}  // namespace
}  // namespace hearth::kernels
