// Gradients of all trained parameters taken together: their length, and its bound, as torch.nn.utils.clip_grad_norm_.
#pragma once

#include <vector>

#include "runtime/tape.h"

namespace hearth {

// The 2-norm over all gradients before clipping; beyond `max_norm` they are scaled by max_norm / (norm + 1e-6). With
// max_norm 0 they stay. A norm that is not finite is returned and the gradients stay, for the caller to stop at. The
// sum is taken in double over fixed ranges, so it does not depend on the number of threads.
double clip_grad_norm(const std::vector<Parameter*>& parameters, double max_norm);

void zero_gradients(const std::vector<Parameter*>& parameters);

}  // namespace hearth
