#include "finetune/datasets/mix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/base/error.h"

namespace hearth {
namespace {

std::vector<MixedRow> concatenated(std::span<const int64_t> lengths) {
  std::vector<MixedRow> rows;
  for (size_t i = 0; i < lengths.size(); ++i)
    for (int64_t row = 0; row < lengths[i]; ++row) rows.push_back({i, row});
  return rows;
}

// In turn, whole rounds: the reference does not stop within a round as it does with probabilities.
std::vector<MixedRow> in_turn(std::span<const int64_t> lengths, MixStrategy strategy) {
  const auto [shortest, longest] = std::minmax_element(lengths.begin(), lengths.end());
  const int64_t rounds = strategy == MixStrategy::kInterleaveUnder ? *shortest : *longest;
  if (strategy == MixStrategy::kInterleaveOver && *shortest == 0)
    throw invalid_argument("mix_strategy: interleave_over needs rows in every dataset, and one has none");
  std::vector<MixedRow> rows;
  for (int64_t round = 0; round < rounds; ++round)
    for (size_t i = 0; i < lengths.size(); ++i)
      if (round < lengths[i] || strategy == MixStrategy::kInterleaveOver) rows.push_back({i, round % lengths[i]});
  return rows;
}

std::vector<MixedRow> drawn(std::span<const int64_t> lengths, const Mix& mix) {
  for (size_t i = 0; i < lengths.size(); ++i) {
    const bool never = mix.probabilities[i] == 0;
    if (lengths[i] == 0 && !never)
      throw invalid_argument("interleave_probs: dataset {} has no rows, its probability must be 0", i + 1);
    if (lengths[i] > 0 && never && mix.strategy != MixStrategy::kInterleaveUnder)
      throw invalid_argument("interleave_probs: with probability 0 dataset {} is never exhausted: leave it out", i + 1);
  }
  NextDataset next(mix, lengths.size());
  std::vector<int64_t> taken(lengths.size(), 0);
  auto remaining = std::count_if(lengths.begin(), lengths.end(), [](int64_t length) { return length > 0; });
  std::vector<MixedRow> rows;
  while (remaining > 0) {
    const size_t i = next();
    if (mix.strategy == MixStrategy::kInterleaveOnce && taken[i] == lengths[i]) continue;
    rows.push_back({i, taken[i] % lengths[i]});
    if (++taken[i] != lengths[i]) continue;
    if (mix.strategy == MixStrategy::kInterleaveUnder) break;
    --remaining;
  }
  return rows;
}

}  // namespace

void check_probabilities(std::span<const double> probabilities, size_t count) {
  if (probabilities.size() != count)
    throw invalid_argument("interleave_probs: {} numbers for {} datasets", probabilities.size(), count);
  for (const double value : probabilities)
    if (!(value >= 0)) throw invalid_argument("interleave_probs: {} is no probability", value);
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  if (std::abs(sum - 1) > 1e-8) throw invalid_argument("interleave_probs: the sum is {}, it must be 1", sum);
}

std::vector<MixedRow> mix_rows(std::span<const int64_t> lengths, const Mix& mix) {
  if (lengths.empty()) return {};
  if (mix.strategy == MixStrategy::kConcat || lengths.size() == 1) return concatenated(lengths);
  if (mix.probabilities.empty()) return in_turn(lengths, mix.strategy);
  check_probabilities(mix.probabilities, lengths.size());
  return drawn(lengths, mix);
}

}  // namespace hearth
