#include "finetune/encoding/infer_seqlen.h"

#include <algorithm>
#include <cstdint>

namespace hearth {

TurnLengths infer_seqlen(int source_len, int target_len, int cutoff_len) {
  int most = cutoff_len;
  if (int64_t{2} * target_len >= cutoff_len) {
    if (int64_t{2} * source_len < cutoff_len) {
      most = cutoff_len - source_len;
    } else {
      const double share = static_cast<double>(target_len) / (static_cast<double>(source_len) + target_len);
      most = static_cast<int>(cutoff_len * share);
    }
  }
  const int target = std::min(most, target_len);
  return {std::min(std::max(cutoff_len - target, 0), source_len), target};
}

}  // namespace hearth
