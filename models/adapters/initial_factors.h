// What an adapter's factors begin as: LoRA's (arXiv 2106.09685: A kaiming_uniform with a = sqrt 5, B zero), PiSSA's
// (arXiv 2404.02948: the principal part of W) and DoRA's magnitudes (arXiv 2402.09353). As peft has them
// (tuners/lora/layer.py, dora.py).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/adapter.h"
#include "runtime/base/random.h"
#include "runtime/model_tensor.h"

namespace hearth {

struct Factors {
  Tensor a;  // [rank, in]
  Tensor b;  // [out, rank]
};

// What torch begins a linear map of `in` inputs with: uniform in +-1 / sqrt(in).
Tensor random_linear(const Shape& shape, int64_t in, Random& random);

// A as random_linear, B zero.
Factors random_factors(const ModelTensor& tensor, int64_t rank, Random& random);

// scale * B A is the best approximation of W of this rank, the singular values' roots shared evenly. `iterations` of
// the subspace iteration of the fast SVD (Halko et al., arXiv 0909.4061, algorithm 4.4; torch.svd_lowrank), started by
// `seed`; -1: exact, by the eigenvectors of the smaller Gram matrix in f64. Throws kInvalidArgument when the rank is
// more than W has.
Factors principal_factors(const ModelTensor& tensor, int64_t rank, float scale, int iterations, uint64_t seed);

// What PiSSA takes from the base for the adapter, whose ranks and scales count: principal_factors with negative scales.
// It depends on nothing else, a job's seed neither: whoever reads the adapter takes the same again.
std::shared_ptr<const Adapter> principal_part(const Adapter& adapter,
                                              std::span<const std::shared_ptr<ModelTensor>> tensors, int iterations);

// Euclidean lengths of the rows of W.  [out]
Tensor row_lengths(const Weight& weight);

}  // namespace hearth
