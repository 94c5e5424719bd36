// What the trainer learns from: token ids and which of them count.
#pragma once

#include <vector>

#include "runtime/batch.h"

namespace hearth {

inline constexpr TokenId kIgnoredLabel = -100;

struct TokenizedExample {
  std::vector<TokenId> input_ids;
  std::vector<TokenId> labels;  // of the same length: kIgnoredLabel, or the id at the same place
  // The lengths of the examples packed into it, in order, which start their positions at 0 each. Empty: one.
  std::vector<int> packed_lengths;
  // Packed examples see each other (`packing` without `neat_packing`).
  bool attends_across = false;
};

}  // namespace hearth
