#include "finetune/encoding/learnt_runs.h"

#include <fmt/format.h>

#include "finetune/encoding/tokenized_example.h"

namespace hearth {

std::vector<LearntRun> learnt_runs(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                   std::span<const TokenId> labels) {
  constexpr size_t kFewAlike = 3;  // control tokens in a row that are spelled out
  std::vector<LearntRun> runs;
  for (size_t i = 0, end = 0; i < ids.size(); i = end) {
    const bool learnt = labels[i] != kIgnoredLabel;
    if (runs.empty() || runs.back().learnt != learnt) runs.push_back({{}, learnt});
    runs.back().text += tokenizer.token_bytes(ids[i]);
    end = i + 1;
    if (!tokenizer.is_special(ids[i])) continue;
    while (end < ids.size() && ids[end] == ids[i] && (labels[end] != kIgnoredLabel) == learnt) ++end;
    if (end - i <= kFewAlike)
      end = i + 1;
    else
      runs.back().text += fmt::format("[{} times]", end - i);
  }
  return runs;
}

}  // namespace hearth
