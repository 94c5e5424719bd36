#include "finetune/encoding/join_turns.h"

#include <algorithm>
#include <utility>

#include "finetune/encoding/infer_seqlen.h"

namespace hearth {
namespace {

void append(const std::vector<TokenId>& from, std::vector<TokenId>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

std::vector<TokenId> source_labels(const std::vector<TokenId>& source, const JoinOptions& options, bool is_first) {
  if (options.train_on_prompt) return source;
  std::vector<TokenId> labels(source.size(), kIgnoredLabel);
  if (options.final_eos && !is_first && !labels.empty()) labels.front() = *options.final_eos;
  return labels;
}

void add_answer(const std::vector<TokenId>& prompt, const std::vector<TokenId>& answer, TokenizedExample& pair) {
  const size_t begin = pair.input_ids.size();
  append(prompt, pair.input_ids);
  append(answer, pair.input_ids);
  pair.labels.insert(pair.labels.end(), prompt.size(), kIgnoredLabel);
  append(answer, pair.labels);
  if (begin < pair.labels.size()) pair.labels[begin] = kIgnoredLabel;  // nothing stands before it
  pair.packed_lengths.push_back(static_cast<int>(pair.input_ids.size() - begin));
}

}  // namespace

JoinedTurns join_turns(std::vector<EncodedTurn> turns, const JoinOptions& options) {
  JoinedTurns joined;
  if (options.mask_history) std::reverse(turns.begin(), turns.end());
  int total = options.final_eos ? 1 : 0;
  std::vector<TokenizedExample> parts;  // one a turn
  for (EncodedTurn& turn : turns) {
    if (total >= options.cutoff_len) {
      joined.truncated = true;
      break;
    }
    const auto [source_len, target_len] = infer_seqlen(
        static_cast<int>(turn.source.size()), static_cast<int>(turn.target.size()), options.cutoff_len - total);
    joined.truncated |= source_len < turn.source.size() || target_len < turn.target.size();
    turn.source.resize(static_cast<size_t>(source_len));
    turn.target.resize(static_cast<size_t>(target_len));
    total += source_len + target_len;
    const bool is_first = parts.empty();
    TokenizedExample& part = parts.emplace_back();
    part.labels = source_labels(turn.source, options, is_first);
    if (options.mask_history && !is_first)
      part.labels.resize(turn.source.size() + turn.target.size(), kIgnoredLabel);
    else
      append(turn.target, part.labels);
    part.input_ids = std::move(turn.source);
    append(turn.target, part.input_ids);
  }
  if (options.mask_history) std::reverse(parts.begin(), parts.end());
  TokenizedExample& example = joined.example;
  for (const TokenizedExample& part : parts) {
    append(part.input_ids, example.input_ids);
    append(part.labels, example.labels);
  }
  if (options.final_eos) {
    example.input_ids.push_back(*options.final_eos);
    example.labels.push_back(*options.final_eos);
  }
  return joined;
}

TokenizedExample join_pair(const EncodedTurn& first, const EncodedTurn& second) {
  TokenizedExample pair;
  add_answer(first.source, first.target, pair);
  add_answer(second.source, second.target, pair);
  return pair;
}

TokenizedExample join_pair(const std::vector<TokenId>& prompt, const std::vector<TokenId>& chosen,
                           const std::vector<TokenId>& rejected) {
  TokenizedExample pair;
  add_answer(prompt, chosen, pair);
  add_answer(prompt, rejected, pair);
  return pair;
}

}  // namespace hearth
