#include "finetune/objectives/collator.h"

#include <algorithm>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// Tokens [begin, end) of an example.
struct Range {
  int begin, end;
};

Range part_of(const TokenizedExample& example, int part) {
  const std::vector<int>& lengths = example.packed_lengths;
  HEARTH_CHECK(lengths.size() == 2);
  return part == 0 ? Range{0, lengths[0]} : Range{lengths[0], lengths[0] + lengths[1]};
}

// What the row of token i is to predict; that of token `end` - 1 nothing.
TokenId target_of(const TokenizedExample& example, int i, int end) {
  return i + 1 < end ? std::max<TokenId>(example.labels[i + 1], -1) : -1;
}

// The rows of `tokens`, whose positions begin with `position`, as a segment of its own.
void add_rows(const TokenizedExample& example, const Range& tokens, int targets_end, int position,
              const Adapter* adapter, TrainingBatch& out) {
  Batch& batch = out.batch;
  const int begin = batch.tokens();
  batch.token_ids.insert(batch.token_ids.end(), example.input_ids.begin() + tokens.begin,
                         example.input_ids.begin() + tokens.end);
  for (int i = tokens.begin; i < tokens.end; ++i) {
    batch.positions.push_back(position + i - tokens.begin);
    out.targets.push_back(target_of(example, i, targets_end));
  }
  batch.segments.push_back({.begin = begin, .end = batch.tokens(), .adapter = adapter});
}

void count(std::span<const TokenizedExample* const> examples, TrainingBatch& out) {
  out.num_targets = std::count_if(out.targets.begin(), out.targets.end(), [](TokenId id) { return id >= 0; });
  out.examples = examples;
}

// How many rows the second answer may take from the first one: their tokens are the same and nothing is learnt there.
int shared_rows(const TokenizedExample& example, int longest_shared) {
  const Range first = part_of(example, 0), second = part_of(example, 1);
  if (std::max(first.end - first.begin, second.end - second.begin) > longest_shared) return 0;
  const int most = std::min(first.end - first.begin, second.end - second.begin - 1);  // a row of its own at least
  int n = 0;
  while (n < most && example.input_ids[first.begin + n] == example.input_ids[second.begin + n] &&
         target_of(example, first.begin + n, first.end) < 0 && target_of(example, second.begin + n, second.end) < 0)
    ++n;
  return n;
}

}  // namespace

TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter) {
  TrainingBatch out;
  for (const TokenizedExample* example : examples) {
    const int length = static_cast<int>(example->input_ids.size());  // labels are shifted over all of it
    const size_t first = out.batch.segments.size();
    const std::vector<int> whole{length};
    int begin = 0;
    for (const int part : example->packed_lengths.empty() ? whole : example->packed_lengths) {
      if (part > 0) add_rows(*example, {begin, begin + part}, length, 0, adapter, out);
      begin += part;
    }
    if (!example->attends_across || out.batch.segments.size() == first) continue;
    out.batch.segments.resize(first + 1);
    out.batch.segments[first].end = out.batch.tokens();
  }
  count(examples, out);
  return out;
}

TrainingBatch collate_answers(std::span<const TokenizedExample* const> examples, const Adapter* adapter,
                              int longest_shared) {
  TrainingBatch out;
  for (const TokenizedExample* example : examples) {
    const Range first = part_of(*example, 0), second = part_of(*example, 1);
    const int shared = shared_rows(*example, longest_shared), prefix = out.batch.tokens();
    add_rows(*example, first, first.end, 0, adapter, out);
    add_rows(*example, {second.begin + shared, second.end}, second.end, shared, adapter, out);
    out.batch.segments.back().past = shared;
    out.batch.segments.back().past_begin = prefix;
  }
  count(examples, out);
  return out;
}

int rows_of_answers(const TokenizedExample& example, int longest_shared) {
  return static_cast<int>(example.input_ids.size()) - shared_rows(example, longest_shared);
}

TrainingBatch collate_part(std::span<const TokenizedExample* const> examples, const Adapter* adapter, int part) {
  TrainingBatch out;
  for (const TokenizedExample* example : examples) {
    const Range range = part_of(*example, part);
    add_rows(*example, range, range.end, 0, adapter, out);
  }
  count(examples, out);
  return out;
}

int64_t count_targets(const TokenizedExample& example) {
  if (example.labels.empty()) return 0;
  return std::count_if(example.labels.begin() + 1, example.labels.end(), [](TokenId id) { return id >= 0; });
}

}  // namespace hearth
