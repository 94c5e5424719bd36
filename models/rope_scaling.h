// From a config's rope parameters to the frequencies that ops::rope uses, for the scalings that Hugging Face configs
// name. Follows transformers' modeling_rope_utils, in f32 where it computes in f32.
#pragma once

#include <optional>
#include <vector>

#include "runtime/ops/rope.h"

namespace hearth {

enum class RopeType { kDefault, kLinear, kDynamic, kYarn, kLlama3 };

// Names are config.json's. Every number is finite and in range once it is here.
struct RopeParameters {
  RopeType type = RopeType::kDefault;
  double rope_theta = 10000.0;
  double factor = 1.0;
  int original_max_position_embeddings = 0;  // all types but kDefault and kLinear
  // yarn (arXiv 2309.00071)
  std::optional<double> attention_factor;  // absent: from factor, mscale and mscale_all_dim
  double mscale = 0.0, mscale_all_dim = 0.0;
  double beta_fast = 32.0, beta_slow = 1.0;
  bool truncate = true;
  // llama3
  double low_freq_factor = 1.0, high_freq_factor = 4.0;

  std::vector<float>
      frequency_divisors;  // [head_dim / 2] or empty: a GGUF's rope_freqs.weight, in which llama3's scaling is written
};

// `head_dim` is even; above 2 for kDynamic.
Rope make_rope(const RopeParameters& parameters, int head_dim);

// The context length that a config's max_position_embeddings and its scaling make together.
int max_positions(const RopeParameters& parameters, int max_position_embeddings);

}  // namespace hearth
