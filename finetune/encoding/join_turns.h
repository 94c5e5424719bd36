// Turns put together to one example within cutoff_len, and what of it is learnt. Source: LLaMA-Factory's
// SupervisedDatasetProcessor (data/processor/supervised.py).
#pragma once

#include <optional>
#include <vector>

#include "finetune/encoding/tokenized_example.h"
#include "finetune/encoding/turn_encoder.h"

namespace hearth {

struct JoinOptions {
  int cutoff_len = 2048;
  bool train_on_prompt = false;
  bool mask_history = false;              // the last turn has the first claim on cutoff_len, and is the only one learnt
  std::optional<TokenId> final_eos = {};  // stands behind everything, and is the first label of every later turn
};

struct JoinedTurns {
  TokenizedExample example;  // at most cutoff_len tokens
  bool truncated = false;    // a turn was shortened or left out
};

// Each turn gets what is left of cutoff_len, cut as infer_seqlen says from its end. Targets that are not learnt are
// hearth's own addition. Throws kInvalidArgument where a turn would lose a part of a picture.
JoinedTurns join_turns(std::vector<EncodedTurn> turns, const JoinOptions& options);

// Two answers, one behind the other and each by itself behind its prompt; the answers are learnt.
TokenizedExample join_pair(const EncodedTurn& first, const EncodedTurn& second);
// Both behind the same prompt.
TokenizedExample join_pair(const EncodedText& prompt, const EncodedText& chosen, const EncodedText& rejected);

}  // namespace hearth
