// Rotary position embedding (arXiv 2104.09864) with the scalings that Hugging Face's config.json names. Follows
// transformers' modeling_rope_utils.
#pragma once

#include <array>
#include <variant>
#include <vector>

namespace hearth {

// Which of a head's first rotary_dim dimensions turn together: (i, i + rotary_dim / 2), or (2i, 2i + 1).
enum class RopePairs { kHalves, kNeighbours };

// The frequencies of a model's rotary embedding, made once at load.
struct Rope {
  int head_dim = 0;
  RopePairs pairs = RopePairs::kHalves;
  std::vector<float> inverse_frequencies;  // [rotary_dim / 2], scaling applied; rotary_dim may be below head_dim
  float attention_factor = 1.0f;           // multiplies cos and sin (yarn, longrope)
  // So many pairs turn by a row's time, the next ones by its row and the last by its column (Batch::grid_positions),
  // all pairs in sum: Qwen2-VL's mrope_section. Zeros: all by Batch::positions. Its vision tower (by row, then by
  // column, the same frequencies for both) is {0, n, n} with the n frequencies listed twice.
  std::array<int, 3> sections = {};

  // Rows of a sequence longer than original_positions turn otherwise.
  // "dynamic": by theta * (factor * length / original_positions - (factor - 1)) ^ (d / (d - 2)).
  struct Dynamic {
    float theta, factor;
    int original_positions;
    bool operator==(const Dynamic&) const = default;
  };
  // "longrope" (arXiv 2402.13753): by these frequencies, as many as inverse_frequencies.
  struct Long {
    std::vector<float> inverse_frequencies;
    int original_positions;
    bool operator==(const Long&) const = default;
  };
  std::variant<std::monostate, Dynamic, Long> by_length;

  bool operator==(const Rope&) const = default;
};

}  // namespace hearth
