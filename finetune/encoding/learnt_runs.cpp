#include "finetune/encoding/learnt_runs.h"

#include "finetune/encoding/tokenized_example.h"

namespace hearth {

std::vector<LearntRun> learnt_runs(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                   std::span<const TokenId> labels) {
  std::vector<LearntRun> runs;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool learnt = labels[i] != kIgnoredLabel;
    if (runs.empty() || runs.back().learnt != learnt) runs.push_back({{}, learnt});
    runs.back().text += tokenizer.token_bytes(ids[i]);
  }
  return runs;
}

}  // namespace hearth
