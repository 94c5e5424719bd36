// Random numbers of a step, drawn from its number: a resumed run draws the same.
#pragma once

#include <cstdint>

#include "runtime/batch.h"

namespace hearth {

// Of batch `batch` of update `step`.
uint64_t noise_seed(int64_t seed, int64_t step, int64_t batch);

// NEFTune (arXiv 2310.05914): uniform in +-alpha / sqrt(length * hidden_size) for each sequence of the batch.
// -> [tokens, hidden_size]
Tensor neftune_noise(const Batch& batch, int64_t hidden_size, float alpha, uint64_t seed);

}  // namespace hearth
