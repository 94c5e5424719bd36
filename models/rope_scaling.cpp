#include "models/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// theta ^ (2i / rotary_dim), rounded to f32 as the reference holds it.
std::vector<float> wavelengths(double theta, int rotary_dim) {
  std::vector<float> result(rotary_dim / 2);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<float>(std::pow(theta, 2.0 * static_cast<double>(i) / rotary_dim));
  return result;
}

// By how much llama3 divides a frequency: 1 for short waves, `factor` for long ones, between them a blend. The same
// numbers as llama.cpp's converter writes to rope_freqs.weight, so that both files of a model give the same
// frequencies.
float llama3_divisor(const RopeParameters& p, float frequency) {
  const auto original = static_cast<double>(p.original_max_position_embeddings);
  const float wavelength = static_cast<float>(2.0 * std::numbers::pi) / frequency;
  if (wavelength < static_cast<float>(original / p.high_freq_factor)) return 1.0f;
  if (wavelength > static_cast<float>(original / p.low_freq_factor)) return static_cast<float>(p.factor);
  const float low = static_cast<float>(p.low_freq_factor);
  const float smooth =
      (static_cast<float>(original) / wavelength - low) / static_cast<float>(p.high_freq_factor - p.low_freq_factor);
  return 1.0f / ((1.0f - smooth) / static_cast<float>(p.factor) + smooth);
}

float yarn_attention_factor(const RopeParameters& p) {
  if (p.attention_factor) return static_cast<float>(*p.attention_factor);
  if (p.mscale != 0.0 && p.mscale_all_dim != 0.0)
    return static_cast<float>(yarn_mscale(p.factor, p.mscale) / yarn_mscale(p.factor, p.mscale_all_dim));
  return static_cast<float>(yarn_mscale(p.factor, 1.0));
}

// Interpolates long waves, keeps short ones, with a ramp between the dimensions that turn beta_fast and beta_slow times
// in the original context.
std::vector<float> yarn_frequencies(const RopeParameters& p, int rotary_dim) {
  const auto correction_dim = [&](double rotations) {
    return rotary_dim * std::log(p.original_max_position_embeddings / (rotations * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(p.rope_theta));
  };
  double low = correction_dim(p.beta_fast), high = correction_dim(p.beta_slow);
  if (p.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rotary_dim - 1.0);
  if (low == high) high += 0.001;  // a step instead of a ramp
  std::vector<float> frequencies = wavelengths(p.rope_theta, rotary_dim);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float kept = 1.0f / frequencies[i];
    const float interpolated = 1.0f / (static_cast<float>(p.factor) * frequencies[i]);
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f, 1.0f);
    const float share = 1.0f - ramp;
    frequencies[i] = interpolated * (1.0f - share) + kept * share;
  }
  return frequencies;
}

float longrope_attention_factor(const RopeParameters& p) {
  if (p.attention_factor) return static_cast<float>(*p.attention_factor);
  if (p.factor <= 1.0) return 1.0f;
  return static_cast<float>(std::sqrt(1.0 + std::log(p.factor) / std::log(p.original_max_position_embeddings)));
}

std::vector<float> longrope_frequencies(const RopeParameters& p, const std::vector<double>& factors, int rotary_dim) {
  HEARTH_CHECK(factors.size() == static_cast<size_t>(rotary_dim / 2));
  std::vector<float> frequencies = wavelengths(p.rope_theta, rotary_dim);
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = 1.0f / (static_cast<float>(factors[i]) * frequencies[i]);
  return frequencies;
}

}  // namespace

std::vector<float> llama3_divisors(const RopeParameters& p, int rotary_dim) {
  std::vector<float> divisors = wavelengths(p.rope_theta, rotary_dim);
  for (float& divisor : divisors) divisor = llama3_divisor(p, 1.0f / divisor);
  return divisors;
}

double yarn_mscale(double factor, double mscale) { return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0; }

Rope make_rope(const RopeParameters& p, int head_dim, int rotary_dim) {
  HEARTH_CHECK(rotary_dim > 0 && rotary_dim % 2 == 0 && rotary_dim <= head_dim);
  Rope rope;
  rope.head_dim = head_dim;
  if (p.type == RopeType::kYarn) {
    rope.inverse_frequencies = yarn_frequencies(p, rotary_dim);
    rope.attention_factor = yarn_attention_factor(p);
  } else if (p.type == RopeType::kLongrope) {
    rope.inverse_frequencies = longrope_frequencies(p, p.short_factor, rotary_dim);
    rope.by_length = Rope::Long{longrope_frequencies(p, p.long_factor, rotary_dim), p.original_max_position_embeddings};
    rope.attention_factor = longrope_attention_factor(p);
  } else {
    rope.inverse_frequencies = wavelengths(p.rope_theta, rotary_dim);
    for (float& frequency : rope.inverse_frequencies) {
      frequency = 1.0f / frequency;
      if (p.type == RopeType::kLinear) frequency /= static_cast<float>(p.factor);
      if (p.type == RopeType::kLlama3) frequency /= llama3_divisor(p, frequency);
    }
  }
  if (p.type == RopeType::kDynamic) {
    HEARTH_CHECK(rotary_dim > 2);
    rope.by_length = Rope::Dynamic{static_cast<float>(p.rope_theta), static_cast<float>(p.factor),
                                   p.original_max_position_embeddings};
  }
  if (!p.frequency_divisors.empty()) {
    HEARTH_CHECK(p.frequency_divisors.size() == rope.inverse_frequencies.size());
    for (size_t i = 0; i < p.frequency_divisors.size(); ++i) rope.inverse_frequencies[i] /= p.frequency_divisors[i];
  }
  return rope;
}

int max_positions(const RopeParameters& p, int max_position_embeddings) {
  double positions = max_position_embeddings;
  if (p.type == RopeType::kLinear || p.type == RopeType::kDynamic) positions *= p.factor;
  if (p.type == RopeType::kYarn) positions = std::max(positions, p.factor * p.original_max_position_embeddings);
  constexpr double kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(positions, 1.0, kMost));
}

}  // namespace hearth
