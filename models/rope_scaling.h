// From a config's rope parameters to the frequencies that ops::rope uses, for the scalings that Hugging Face configs
// name. Follows transformers' modeling_rope_utils, in f32 where it computes in f32.
#pragma once

#include <optional>
#include <vector>

#include "runtime/ops/rope.h"

namespace hearth {

enum class RopeType { kDefault, kLinear, kDynamic, kYarn, kLlama3, kLongrope };

// Names are config.json's. Every number is finite and in range once it is here.
struct RopeParameters {
  RopeType type = RopeType::kDefault;
  double rope_theta = 10000.0;
  double factor = 1.0;
  int original_max_position_embeddings = 0;  // all types but kDefault and kLinear
  std::optional<double> attention_factor;    // yarn and longrope; absent: from factor (mscale and mscale_all_dim)
  // yarn (arXiv 2309.00071)
  double mscale = 0.0, mscale_all_dim = 0.0;
  double beta_fast = 32.0, beta_slow = 1.0;
  bool truncate = true;
  // llama3
  double low_freq_factor = 1.0, high_freq_factor = 4.0;
  // longrope (arXiv 2402.13753), [rotary_dim / 2]: of sequences up to the original length, and of longer ones
  std::vector<double> short_factor, long_factor;

  std::vector<float> frequency_divisors;  // [rotary_dim / 2] or empty: a GGUF's rope_freqs.weight, in which llama3's
                                          // scaling is written
};

// `rotary_dim` is even and at most head_dim; above 2 for kDynamic.
Rope make_rope(const RopeParameters& parameters, int head_dim, int rotary_dim);

// By how much llama3 divides each frequency, [rotary_dim / 2].
std::vector<float> llama3_divisors(const RopeParameters& parameters, int rotary_dim);

// What yarn multiplies attention by for a context stretched by `factor`.
double yarn_mscale(double factor, double mscale);

// The context length that a config's max_position_embeddings and its scaling make together.
int max_positions(const RopeParameters& parameters, int max_position_embeddings);

}  // namespace hearth
