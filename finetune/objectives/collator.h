// Examples side by side as one batch: no padding, no masks. Packed examples are segments of their own, or, where they
// may see each other, one segment in which positions start again. What two answers of one example have in common before
// them is computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "runtime/batch.h"

namespace hearth {

struct TrainingBatch {
  Batch batch;
  std::vector<TokenId> targets;  // [tokens]: what the row's successor is to be; -1: nothing is learnt from the row
  int64_t num_targets = 0;       // that are not -1
  std::span<const TokenizedExample* const> examples;
  // Whose features its rows are to take, with the batch's rows that take them: PictureFeatures (picture_features.h).
  struct Seen {
    std::shared_ptr<const FilePicture> picture;
    const Adapter* adapter;
    std::vector<int> rows;
  };
  std::vector<Seen> pictures = {};
};

// Every row goes through `adapter`, or none when it is null.
TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter);

// Of examples that are two answers: every second segment begins with rows of the one before it, where both sequences
// are at most `longest_shared` long (ModelDims::fixed_rope_length: what goes by a sequence's length cannot be shared).
TrainingBatch collate_answers(std::span<const TokenizedExample* const> examples, const Adapter* adapter,
                              int longest_shared);
int rows_of_answers(const TokenizedExample& example, int longest_shared);  // that it makes
// Of them the first (0) or the second (1) alone.
TrainingBatch collate_part(std::span<const TokenizedExample* const> examples, const Adapter* adapter, int part);

// Tokens that something is learnt from.
int64_t count_targets(const TokenizedExample& example);

}  // namespace hearth
