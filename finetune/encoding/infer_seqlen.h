// How many tokens of a prompt and of its response are kept when both must fit. Source: LLaMA-Factory's infer_seqlen
// (data/processor/processor_utils.py), in the same arithmetic.
#pragma once

namespace hearth {

struct TurnLengths {
  int source = 0, target = 0;
  bool operator==(const TurnLengths&) const = default;
};

// The shorter one is kept whole where it takes less than half of `cutoff_len`; else both are cut in proportion.
TurnLengths infer_seqlen(int source_len, int target_len, int cutoff_len);

}  // namespace hearth
