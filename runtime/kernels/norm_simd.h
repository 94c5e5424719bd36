// Normalisation of rows and its gradient, written once over Lanes.
#pragma once

#include <cstdint>

#include "runtime/kernels/for_lanes.h"
#include "runtime/kernels/lanes.h"
#include "runtime/kernels/rows.h"

namespace hearth::kernels {
namespace {

inline float inverse_root(float mean_square, float eps) { return 1.f / __builtin_sqrtf(mean_square + eps); }

inline void rms_norm(const float* x, const Norm& norm, int64_t begin, int64_t end, float* y, float* inverse_rms) {
  const int64_t n = norm.n;
  for (int64_t r = begin; r < end; ++r) {
    const float *in = x + r * n, *weight = norm.weight + r % norm.groups * n;
    float* out = y + r * n;
    const Lanes squares = in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) {
      const Lanes v = part.load(in + i);
      return fma(v, v, sum);
    });
    const float inverse = inverse_root(sum_lanes(squares) / static_cast<float>(n), norm.eps);
    if (inverse_rms) inverse_rms[r] = inverse;
    const Lanes f = Lanes::broadcast(inverse);
    for_lanes(0, n, [=](auto part, int64_t i) { part.store(part.load(in + i) * f * part.load(weight + i), out + i); });
  }
}

// dx = inverse * (w dy - x * inverse^2 / n * sum(w dy x))
inline void rms_norm_backward(const NormGradient& g, const Norm& norm, int64_t begin, int64_t end) {
  const int64_t n = norm.n;
  for (int64_t r = begin; r < end; ++r) {
    const float *in = g.x + r * n, *weight = norm.weight + r % norm.groups * n, *d = g.dy + r * n;
    float* out = g.dx.values + r * n;
    const Lanes dots = in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) {
      return fma(part.load(in + i) * part.load(weight + i), part.load(d + i), sum);
    });
    const float inverse = g.statistics[r];
    const Lanes f = Lanes::broadcast(inverse);
    const Lanes back = Lanes::broadcast(inverse * inverse * inverse / static_cast<float>(n) * sum_lanes(dots));
    for_lanes(0, n, [=](auto part, int64_t i) {
      const Lanes sum =
          fma(part.load(weight + i) * f, part.load(d + i), g.dx.adds ? part.load(out + i) : Lanes::zero());
      part.store(negated_fma(part.load(in + i), back, sum), out + i);
    });
  }
}

// The mean first and the squares of what differs from it second: their difference would cancel.
inline void layer_norm(const float* x, const Norm& norm, int64_t begin, int64_t end, float* y, float* statistics) {
  const int64_t n = norm.n;
  for (int64_t r = begin; r < end; ++r) {
    const float *in = x + r * n, *weight = norm.weight + r % norm.groups * n;
    const float* bias = norm.bias ? norm.bias + r % norm.groups * n : nullptr;
    float* out = y + r * n;
    const Lanes sums =
        in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) { return sum + part.load(in + i); });
    const float mean = sum_lanes(sums) / static_cast<float>(n);
    const Lanes shift = Lanes::broadcast(mean);
    const int64_t whole = n / 16 * 16;
    Lanes squares = in_four_chains(whole, [=](const Lanes& sum, auto part, int64_t i) {
      const Lanes v = part.load(in + i) - shift;
      return fma(v, v, sum);
    });
    if (whole < n) {
      const int rest = static_cast<int>(n - whole);
      const Lanes v = first(rest, Lanes::load(in + whole, rest) - shift, Lanes::zero());
      squares = fma(v, v, squares);
    }
    const float inverse = inverse_root(sum_lanes(squares) / static_cast<float>(n), norm.eps);
    if (statistics) {
      statistics[2 * r] = mean;
      statistics[2 * r + 1] = inverse;
    }
    const Lanes f = Lanes::broadcast(inverse);
    for_lanes(0, n, [=](auto part, int64_t i) {
      const Lanes v = (part.load(in + i) - shift) * f;
      const Lanes w = part.load(weight + i);
      part.store(bias ? fma(v, w, part.load(bias + i)) : v * w, out + i);
    });
  }
}

// With z = (x - mean) * inverse:  dx = inverse * (w dy - mean(w dy) - z * mean(w dy z))
inline void layer_norm_backward(const NormGradient& g, const Norm& norm, int64_t begin, int64_t end) {
  const int64_t n = norm.n;
  for (int64_t r = begin; r < end; ++r) {
    const float *in = g.x + r * n, *weight = norm.weight + r % norm.groups * n, *d = g.dy + r * n;
    float* out = g.dx.values + r * n;
    const float inverse = g.statistics[2 * r + 1], part_of = inverse / static_cast<float>(n);
    const Lanes shift = Lanes::broadcast(g.statistics[2 * r]), f = Lanes::broadcast(inverse);
    const Lanes sums = in_four_chains(
        n, [=](const Lanes& sum, auto part, int64_t i) { return fma(part.load(weight + i), part.load(d + i), sum); });
    const Lanes dots = in_four_chains(n, [=](const Lanes& sum, auto part, int64_t i) {
      const Lanes z = (part.load(in + i) - shift) * f;
      return fma(z * part.load(weight + i), part.load(d + i), sum);
    });
    const Lanes mean = Lanes::broadcast(sum_lanes(sums) * part_of), back = Lanes::broadcast(sum_lanes(dots) * part_of);
    for_lanes(0, n, [=](auto part, int64_t i) {
      const Lanes z = (part.load(in + i) - shift) * f;
      const Lanes before = g.dx.adds ? part.load(out + i) : Lanes::zero();
      const Lanes sum = fma(part.load(weight + i) * f, part.load(d + i), before) - mean;
      part.store(negated_fma(z, back, sum), out + i);
    });
  }
}

// Columns [begin, end) of dweight += dy z of every row.
inline void layer_norm_weight(const NormGradient& g, const Norm& norm, int64_t begin, int64_t end) {
  const int64_t n = norm.n;
  for (int64_t r = 0; r < g.rows; ++r) {
    const float *in = g.x + r * n, *d = g.dy + r * n;
    float* out = g.dweight + r % norm.groups * n;
    const Lanes shift = Lanes::broadcast(g.statistics[2 * r]), f = Lanes::broadcast(g.statistics[2 * r + 1]);
    for_lanes(begin, end, [=](auto part, int64_t i) {
      part.store(fma((part.load(in + i) - shift) * f, part.load(d + i), part.load(out + i)), out + i);
    });
  }
}

}  // namespace
}  // namespace hearth::kernels
