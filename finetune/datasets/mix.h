// Several datasets as one: which row of which dataset stands where. Source: `datasets.interleave_datasets` (5.2) with
// LLaMA-Factory's names of its stopping strategies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "finetune/datasets/numpy_random.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

struct MixedRow {
  size_t dataset;
  int64_t row;
  bool operator==(const MixedRow&) const = default;
};

struct Mix {
  MixStrategy strategy = MixStrategy::kConcat;
  std::vector<double> probabilities;  // empty: in turn
  uint64_t seed = 0;
};

// kConcat: one after the other. kInterleaveUnder ends with the first exhausted dataset, kInterleaveOver with the last,
// rows of the shorter ones standing in it again; kInterleaveOnce has every row once. Throws kInvalidArgument for
// probabilities that cannot be used.
std::vector<MixedRow> mix_rows(std::span<const int64_t> lengths, const Mix& mix);

// Throws kInvalidArgument unless there is one for each of `count` datasets, none negative, and their sum is 1.
void check_probabilities(std::span<const double> probabilities, size_t count);

// Which dataset comes next, without an end: in turn, or drawn.
class NextDataset {
 public:
  NextDataset(const Mix& mix, size_t count) : probabilities_(mix.probabilities), random_(mix.seed), count_(count) {}
  size_t operator()() {
    if (!probabilities_.empty()) return random_.choice(probabilities_);
    return std::exchange(turn_, (turn_ + 1) % count_);
  }

 private:
  std::vector<double> probabilities_;
  NumpyGenerator random_;
  size_t count_, turn_ = 0;
};

}  // namespace hearth
