#include "finetune/trainer/training_set.h"

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
    : examples_(std::move(examples)), plan_(training, lengths_of(examples_)) {}

std::vector<ExampleBatch> InMemorySet::batches(int64_t step) {
  std::vector<ExampleBatch> batches;
  for (const std::vector<int>& indices : plan_.batches(step)) {
    ExampleBatch& batch = batches.emplace_back();
    for (const int i : indices) batch.push_back(&examples_[i]);
  }
  return batches;
}

}  // namespace hearth
