#include "finetune/objectives/collator.h"

#include <algorithm>
#include <array>

#include "runtime/base/error.h"
#include "runtime/picture.h"

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

// Rows of `tokens` that a picture's features go to; it is there whole.
void add_pictures(const TokenizedExample& example, const Range& tokens, const Adapter* adapter, TrainingBatch& out) {
  const int first_row = out.batch.tokens();
  for (const ExamplePicture& one : example.pictures) {
    if (one.begin < tokens.begin || one.begin >= tokens.end) continue;
    HEARTH_CHECK(one.end() <= tokens.end);
    TrainingBatch::Seen& seen = out.pictures.emplace_back(TrainingBatch::Seen{one.picture, adapter, {}});
    for (const int row : one.picture->layout.feature_rows)
      seen.rows.push_back(first_row + one.begin - tokens.begin + row);
  }
}

// Positions of the sequence that begins with token `first`, in rows and columns too, from number `position` on.
void add_positions(const TokenizedExample& example, int first, int position, int count, TrainingBatch& out) {
  std::vector<PlacedLayout> layouts;
  for (const ExamplePicture& one : example.pictures)
    if (one.begin >= first && one.begin < first + position + count)
      layouts.push_back({one.begin - first, &one.picture->layout});
  const std::vector<std::array<int, 3>> grid = grid_positions(position + count, layouts);
  for (int i = position; i < position + count; ++i) {
    out.batch.positions.push_back(i);
    out.batch.grid_positions.push_back(grid.empty() ? std::array{i, i, i} : grid[i]);
  }
}

// The rows of `tokens`, whose positions begin with `position`, as a segment of its own.
void add_rows(const TokenizedExample& example, const Range& tokens, int targets_end, int position,
              const Adapter* adapter, TrainingBatch& out) {
  Batch& batch = out.batch;
  const int begin = batch.tokens();
  add_pictures(example, tokens, adapter, out);
  add_positions(example, tokens.begin - position, position, tokens.end - tokens.begin, out);
  batch.token_ids.insert(batch.token_ids.end(), example.input_ids.begin() + tokens.begin,
                         example.input_ids.begin() + tokens.end);
  for (int i = tokens.begin; i < tokens.end; ++i) out.targets.push_back(target_of(example, i, targets_end));
  batch.segments.push_back({.begin = begin, .end = batch.tokens(), .adapter = adapter});
}

void finish(std::span<const TokenizedExample* const> examples, TrainingBatch& out) {
  const auto has_grid = [](const TrainingBatch::Seen& seen) { return seen.picture->layout.grid[0] > 0; };
  if (std::none_of(out.pictures.begin(), out.pictures.end(), has_grid)) out.batch.grid_positions.clear();
  out.num_targets = std::count_if(out.targets.begin(), out.targets.end(), [](TokenId id) { return id >= 0; });
  out.examples = examples;
}

// How many tokens two sequences begin with alike, of `n` whose ids are the same: pictures have the same ids too.
int alike(const TokenizedExample& example, const Range& first, const Range& second, int n) {
  const auto within = [&](const Range& range) {
    std::vector<ExamplePicture> pictures;
    for (const ExamplePicture& one : example.pictures)
      if (one.begin >= range.begin && one.begin < range.end) pictures.push_back({one.begin - range.begin, one.picture});
    return pictures;
  };
  const std::vector<ExamplePicture> a = within(first), b = within(second);
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const bool same = i < a.size() && i < b.size() && a[i].begin == b[i].begin &&
                      a[i].picture->layout.identity == b[i].picture->layout.identity && a[i].end() <= n;
    if (same) continue;
    if (i < a.size()) n = std::min(n, a[i].begin);
    if (i < b.size()) n = std::min(n, b[i].begin);
    break;
  }
  return n;
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
  return alike(example, first, second, n);
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
  finish(examples, out);
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
  finish(examples, out);
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
  finish(examples, out);
  return out;
}

int64_t count_targets(const TokenizedExample& example) {
  if (example.labels.empty()) return 0;
  return std::count_if(example.labels.begin() + 1, example.labels.end(), [](TokenId id) { return id >= 0; });
}

}  // namespace hearth
