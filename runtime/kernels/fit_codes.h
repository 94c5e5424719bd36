// The scales of a block of a quantised format: those with which its codes come nearest to the values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hearth::kernels {

// To the nearest whole number, ties to even, for |value| < 2^22; a form that compilers make vectors of.
inline float nearest(float value) {
  constexpr float kShift = 12582912.f;  // 1.5 * 2^23
  return value + kShift - kShift;
}

inline float clamped(float value, float least, float most) { return std::min(std::max(value, least), most); }

// 1 / scale; 0 where all values are 0.
inline float inverse(float scale) { return scale == 0 ? 0 : 1 / scale; }

// The scale d >= or < 0 for which d * code is nearest to N values, code from -most to most - 1.
template <int N>
float fit_symmetric(const float* x, int most) {
  float extreme = 0;  // the value furthest from 0, with its sign, which gets the code -most
  for (int i = 0; i < N; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (extreme == 0) return 0;
  constexpr int kSteps = 12;
  const auto top = static_cast<float>(most);
  float best = 0, best_gain = -1;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float per_value = -(top + 0.1f * static_cast<float>(step)) / extreme;
    float product = 0, square = 0;
    for (int i = 0; i < N; ++i) {
      const float code = clamped(nearest(per_value * x[i]), -top, top - 1);
      product += x[i] * code;
      square += code * code;
    }
    // The error is the values' sum of squares less this.
    const float gain = square > 0 ? product * product / square : 0;
    if (gain <= best_gain) continue;
    best_gain = gain;
    best = product / square;
  }
  return best;
}

struct Affine {
  float scale = 0, minimum = 0;
};

// scale * code + minimum nearest to N values, code from 0 to most, scale >= 0. Where the format stores the minimum as
// something to take away it is not above 0.
template <int N>
Affine fit_affine(const float* x, int most, bool takes_away) {
  float low = *std::min_element(x, x + N), high = *std::max_element(x, x + N), sum = 0;
  if (takes_away) low = std::min(low, 0.f);
  if (low == high) return {0, low};
  for (int i = 0; i < N; ++i) sum += x[i];
  constexpr int kSteps = 12;
  const auto top = static_cast<float>(most);
  Affine best;
  float best_error = -1;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float per_value = (top + 0.1f * static_cast<float>(step)) / (high - low);
    float codes[N], code_sum = 0, square = 0, product = 0;
    for (int i = 0; i < N; ++i) {
      codes[i] = clamped(nearest(per_value * (x[i] - low)), 0, top);
      code_sum += codes[i];
      square += codes[i] * codes[i];
      product += x[i] * codes[i];
    }
    const float determinant = N * square - code_sum * code_sum;  // 0: all codes are alike
    if (determinant <= 0 && (!takes_away || square == 0)) continue;
    Affine fit{0, 1};
    if (determinant > 0)
      fit = {(N * product - sum * code_sum) / determinant, (square * sum - code_sum * product) / determinant};
    if (takes_away && fit.minimum > 0) fit = {product / square, 0};
    float error = 0;
    for (int i = 0; i < N; ++i) {
      const float off = fit.scale * codes[i] + fit.minimum - x[i];
      error += off * off;
    }
    if (best_error >= 0 && error >= best_error) continue;
    best_error = error;
    best = fit;
  }
  return best;
}

}  // namespace hearth::kernels
