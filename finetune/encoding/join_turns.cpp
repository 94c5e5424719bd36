#include "finetune/encoding/join_turns.h"

#include <algorithm>
#include <utility>

#include "finetune/encoding/infer_seqlen.h"

namespace hearth {
namespace {

struct Part {
  std::vector<TokenId> input_ids, labels;
  size_t answer_len = 0;  // the last ones
  bool learnt = true;
};

void append(const std::vector<TokenId>& from, std::vector<TokenId>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

std::vector<TokenId> source_labels(const std::vector<TokenId>& source, const JoinOptions& options, bool is_first) {
  if (options.train_on_prompt) return source;
  std::vector<TokenId> labels(source.size(), kIgnoredLabel);
  if (options.final_eos && !is_first && !labels.empty()) labels.front() = *options.final_eos;
  return labels;
}

// The end of an answer is the first label of the turn behind it (JoinOptions::final_eos).
void mask_ends(std::vector<Part>& parts) {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!parts[i - 1].learnt && parts[i].labels.size() > parts[i].answer_len) parts[i].labels.front() = kIgnoredLabel;
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
  std::vector<Part> parts;  // one a turn
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
    Part& part = parts.emplace_back();
    part.answer_len = turn.target.size();
    part.learnt = turn.learnt;
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
  if (options.final_eos) mask_ends(parts);
  for (Part& part : parts) {
    if (!part.learnt) std::fill_n(part.labels.rbegin(), part.answer_len, kIgnoredLabel);
    append(part.input_ids, example.input_ids);
    append(part.labels, example.labels);
  }
  if (options.final_eos) {
    example.input_ids.push_back(*options.final_eos);
    example.labels.push_back(!parts.empty() && !parts.back().learnt ? kIgnoredLabel : *options.final_eos);
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
