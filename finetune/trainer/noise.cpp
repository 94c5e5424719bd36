#include "finetune/trainer/noise.h"

#include <cmath>

#include "runtime/base/random.h"

namespace hearth {

uint64_t noise_seed(int64_t seed, int64_t step, int64_t batch) {
  Random random(static_cast<uint64_t>(seed));
  Random of_step(random.next() + static_cast<uint64_t>(step));
  return Random(of_step.next() + static_cast<uint64_t>(batch)).next();
}

Tensor neftune_noise(const Batch& batch, int64_t hidden_size, float alpha, uint64_t seed) {
  Tensor noise({batch.tokens(), hidden_size});
  Random random(seed);
  for (const Segment& segment : batch.segments) {
    const double length =
        static_cast<double>(segment.past + segment.end - segment.begin) * static_cast<double>(hidden_size);
    const double bound = alpha / std::sqrt(length);
    for (int row = segment.begin; row < segment.end; ++row)
      for (int64_t i = 0; i < hidden_size; ++i)
        noise.row(row)[i] = static_cast<float>((2 * random.uniform() - 1) * bound);
  }
  return noise;
}

}  // namespace hearth
