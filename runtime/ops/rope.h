// Rotary position embedding (arXiv 2104.09864) with the scalings that Hugging Face's config.json names. Follows
// transformers' modeling_rope_utils.
#pragma once

#include <optional>
#include <vector>

namespace hearth {

// The frequencies of a model's rotary embedding, made once at load.
struct Rope {
  int head_dim = 0;
  std::vector<float> inverse_frequencies;  // [rotary_dim / 2], scaling applied
  float attention_factor = 1.0f;           // multiplies cos and sin (yarn)

  // "dynamic": rows of a sequence longer than original_positions use theta * (factor * length / original_positions -
  // (factor - 1)) ^ (d / (d - 2)).
  struct Dynamic {
    float theta, factor;
    int original_positions;
  };
  std::optional<Dynamic> dynamic;
};

}  // namespace hearth
