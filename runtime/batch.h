// Every sequence flattened into one [tokens] axis: prefill, decode, a mix of both, training and scoring are the same
// call. No padding, no masks.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/adapter.h"
#include "runtime/kv_cache.h"
#include "runtime/tensor.h"

namespace hearth {

using TokenId = int32_t;

// Consecutive rows [begin, end) of the batch that belong to one sequence.
struct Segment {
  int begin = 0, end = 0;
  // Tokens of the sequence before these rows. With a cache they are in it. Without one they are rows
  // [past_begin, past_begin + past) of the batch, the first ones of an earlier segment that has no past itself: so
  // sequences that begin alike compute their beginning once, and gradients flow into it from all of them.
  int past = 0;
  int past_begin = 0;
  const BlockTable* blocks = nullptr;  // covers past + (end - begin) tokens; null without a cache
  // The whole prompt's length where these rows are a chunk of it: scalings of rope that depend on the sequence's length
  // go by the larger of this and each row's position + 1, so that a chunked prompt equals a whole one. Without a cache
  // a segment ends its sequence, whose length counts too.
  int prompt_length = 0;
  // What its rows go through besides the model; null: nothing. Outlives the batch, and the sweep of a tape that
  // records.
  const Adapter* adapter = nullptr;
};

// Rows whose embedding is given and not looked up: an image's features. They stand where the token's embedding would
// after its multiplier (Gemma's sqrt(hidden_size)); learned positions are added to them. Gradients flow into `values`.
struct EmbeddedRows {
  std::vector<int> rows;  // of the batch, each at most once; their token ids have no effect but must exist
  Tensor values;          // [rows.size(), hidden_size]
};

struct Batch {
  std::vector<TokenId> token_ids;  // [tokens]
  std::vector<int> positions;      // [tokens]
  // [tokens] of (time, row, column), for ropes with sections: pictures lie on a grid. Empty: all three are `positions`.
  std::vector<std::array<int, 3>> grid_positions = {};
  std::vector<Segment> segments;  // in row order, covering every row
  EmbeddedRows embedded;
  KvCache* cache = nullptr;  // null: attend within the batch (training, scoring)
  // Of training:
  Tensor embedding_noise = {};  // added to the tokens' embeddings (NEFTune)  [tokens, hidden_size] or undefined
  uint64_t dropout_seed = 0;    // the same seed drops the same values
  int recomputed_layers = 0;    // so many of the first layers keep only their input and are computed again backwards

  int tokens() const { return static_cast<int>(token_ids.size()); }
};

}  // namespace hearth
