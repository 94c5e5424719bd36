#include "finetune/sampler.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {

std::vector<int> random_permutation(int n, uint64_t seed) {
  std::mt19937 generator(static_cast<uint32_t>(seed));  // torch takes the low 32 bits
  std::vector<int> order(std::max(n, 0));
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i + 1 < n; ++i) std::swap(order[i], order[i + static_cast<int>(generator() % (n - i))]);
  return order;
}

std::vector<int> epoch_order(int n, int64_t seed, int64_t epoch) {
  return random_permutation(n, static_cast<uint64_t>(seed) + static_cast<uint64_t>(epoch));
}

std::vector<int> length_grouped_order(const std::vector<int>& lengths, int batch_size, int64_t seed, int64_t epoch) {
  HEARTH_CHECK(batch_size > 0);
  const int n = static_cast<int>(lengths.size());
  std::vector<int> order = epoch_order(n, seed, epoch);
  if (n == 0) return order;
  // Megabatches of 50 batches, or a fourth of the epoch, are sorted within themselves.
  const int64_t batches = std::clamp<int64_t>(n / (int64_t{4} * batch_size), 1, 50), size = batches * batch_size;
  int64_t longest = 0;
  for (int64_t begin = 0; begin < n; begin += size) {
    const auto first = order.begin() + begin, last = order.begin() + std::min<int64_t>(begin + size, n);
    std::stable_sort(first, last, [&](int a, int b) { return lengths[a] > lengths[b]; });
    if (lengths[*first] > lengths[order[longest]]) longest = begin;
  }
  std::swap(order[0], order[longest]);
  return order;
}

}  // namespace hearth
