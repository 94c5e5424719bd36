// Examples side by side as one batch: no padding, no masks. Packed examples are segments of their own, or, where they
// may see each other, one segment in which positions start again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "runtime/batch.h"

namespace hearth {

struct TrainingBatch {
  Batch batch;
  std::vector<TokenId> targets;  // [tokens]: what the row's successor is to be; -1: nothing is learnt from the row
  int64_t num_targets = 0;       // that are not -1
};

// Every row goes through `adapter`, or none when it is null.
TrainingBatch collate(std::span<const TokenizedExample* const> examples, const Adapter* adapter);

// Tokens that something is learnt from.
int64_t count_targets(const TokenizedExample& example);

}  // namespace hearth
