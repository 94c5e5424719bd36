#include "finetune/trainer/collator.h"

#include <algorithm>

namespace hearth {
namespace {

void add_segment(Batch& batch, int length, const Adapter* adapter) {
  const int begin = batch.segments.empty() ? 0 : batch.segments.back().end;
  batch.segments.push_back({.begin = begin, .end = begin + length, .adapter = adapter});
}

void add_positions(Batch& batch, int length) {
  for (int i = 0; i < length; ++i) batch.positions.push_back(i);
}

void add(const TokenizedExample& example, const Adapter* adapter, TrainingBatch& out) {
  const int length = static_cast<int>(example.input_ids.size());
  if (length == 0) return;
  Batch& batch = out.batch;
  batch.token_ids.insert(batch.token_ids.end(), example.input_ids.begin(), example.input_ids.end());
  const std::vector<int> whole{length};
  const std::vector<int>& parts = example.packed_lengths.empty() ? whole : example.packed_lengths;
  for (const int part : parts) add_positions(batch, part);
  for (const int part : example.attends_across ? whole : parts) add_segment(batch, part, adapter);
  for (int i = 1; i < length; ++i) out.targets.push_back(std::max<TokenId>(example.labels[i], -1));
  out.targets.push_back(-1);
}

}  // namespace

TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) {
  TrainingBatch out;
  for (const TokenizedExample* example : examples) add(*example, adapter, out);
  out.num_targets = std::count_if(out.targets.begin(), out.targets.end(), [](TokenId id) { return id >= 0; });
  return out;
}

int64_t count_targets(const TokenizedExample& example) {
  if (example.labels.empty()) return 0;
  return std::count_if(example.labels.begin() + 1, example.labels.end(), [](TokenId id) { return id >= 0; });
}

}  // namespace hearth
