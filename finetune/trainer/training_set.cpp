#include "finetune/trainer/training_set.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace hearth {
namespace {

std::vector<int> lengths_of(const std::vector<TokenizedExample>& examples) {
  std::vector<int> lengths;
  lengths.reserve(examples.size());
  for (const TokenizedExample& example : examples) lengths.push_back(static_cast<int>(example.input_ids.size()));
  return lengths;
}

}  // namespace

InMemorySet::InMemorySet(const TrainingSpec& training, std::vector<TokenizedExample> examples)
    : batch_size_(static_cast<size_t>(training.per_device_train_batch_size)),
      examples_(std::move(examples)),
      plan_(training, lengths_of(examples_)) {}

int64_t InMemorySet::most_rows_of_batch(const Objective& objective) const {
  std::vector<int64_t> rows;
  for (const TokenizedExample& example : examples_) rows.push_back(objective.rows(example));
  const auto end = rows.begin() + static_cast<ptrdiff_t>(std::min(batch_size_, rows.size()));
  std::partial_sort(rows.begin(), end, rows.end(), std::greater<>());
  return std::accumulate(rows.begin(), end, int64_t{0});
}

const TokenizedExample* InMemorySet::most_pictured() const {
  const auto most = std::max_element(examples_.begin(), examples_.end(), [](const auto& a, const auto& b) {
    return a.pictures.size() < b.pictures.size();
  });
  return most == examples_.end() || most->pictures.empty() ? nullptr : &*most;
}

std::vector<ExampleBatch> InMemorySet::batches(int64_t step) {
  std::vector<ExampleBatch> batches;
  for (const std::vector<int>& indices : plan_.batches(step)) {
    ExampleBatch& batch = batches.emplace_back();
    for (const int i : indices) batch.push_back(&examples_[i]);
  }
  return batches;
}

}  // namespace hearth
