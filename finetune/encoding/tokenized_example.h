// What the trainer learns from: token ids and which of them count.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "finetune/encoding/picture_files.h"
#include "runtime/batch.h"

namespace hearth {

inline constexpr TokenId kIgnoredLabel = -100;

struct ExamplePicture {
  int begin = 0;  // the first of the ids that stand for it
  std::shared_ptr<const FilePicture> picture;
  int end() const { return begin + static_cast<int>(picture->token_ids.size()); }
};

struct TokenizedExample {
  std::vector<TokenId> input_ids;
  // Of the same length: kIgnoredLabel, or what the tokens before that place are to predict. That is the id at the same
  // place; but where a template has one end of sequence for the whole conversation (efficient_eos), that end of
  // sequence at the first token of every later turn.
  std::vector<TokenId> labels;
  // The lengths of the examples packed into it, in order, which start their positions at 0 each. Empty: one. In stages
  // rm and dpo two: the chosen and the rejected answer, each behind its prompt. In stage kto two: its own answer and
  // the KL answer, which is another example's.
  std::vector<int> packed_lengths = {};
  // Packed examples see each other (`packing` without `neat_packing`).
  bool attends_across = false;
  // In stage kto its kto_tag: whether its own answer is one to be liked. Nothing in other stages.
  std::optional<bool> desirable = {};
  std::vector<ExamplePicture> pictures = {};  // in the order of their ids
};

}  // namespace hearth
