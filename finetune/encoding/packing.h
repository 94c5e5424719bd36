// Several examples in one, so that a step of fixed length is full. Source: LLaMA-Factory's
// PackedSupervisedDatasetProcessor and greedy_knapsack; it pads behind the last example of a pack, which nothing is
// learnt from, and which is left out here.
#pragma once

#include <span>
#include <vector>

#include "finetune/encoding/tokenized_example.h"

namespace hearth {

// Which examples go together: the longest that fits, again and again, until nothing does. `lengths`, none above
// `capacity`; the indices of all of them, each once.
std::vector<std::vector<size_t>> greedy_knapsack(std::span<const int> lengths, int capacity);

// `examples` are packed among themselves. With `attends_across` those of a pack see each other.
std::vector<TokenizedExample> pack_examples(std::span<const TokenizedExample> examples, int capacity,
                                            bool attends_across);

}  // namespace hearth
