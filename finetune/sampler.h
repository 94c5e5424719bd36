// The order in which an epoch visits the examples: torch's and transformers' for the same seed, so that losses can be
// compared step by step. Source: torch.randperm on a CPU generator (mt19937), accelerate's SeedableRandomSampler
// (seed + epoch), transformers' LengthGroupedSampler.
#pragma once

#include <cstdint>
#include <vector>

namespace hearth {

// torch.randperm(n, generator=torch.Generator().manual_seed(seed)), n below 2^32 / 20.
std::vector<int> random_permutation(int n, uint64_t seed);

// The shuffled order of an epoch, counted from 0. `seed` is data_seed, or seed where that is not given.
std::vector<int> epoch_order(int n, int64_t seed, int64_t epoch);

// group_by_length: batches of similar lengths, the longest example first. `batch_size` is that of an update. The
// reference's grouping, from epoch_order's permutation; its own comes from whatever the process has drawn before.
std::vector<int> length_grouped_order(const std::vector<int>& lengths, int batch_size, int64_t seed, int64_t epoch);

}  // namespace hearth
