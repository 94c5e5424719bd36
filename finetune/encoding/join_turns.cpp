#include "finetune/encoding/join_turns.h"

#include <algorithm>
#include <span>
#include <utility>

#include "finetune/encoding/infer_seqlen.h"

namespace hearth {
namespace {

struct Part {
  EncodedText text;
  std::vector<TokenId> labels;
  size_t answer_len = 0;  // the last ones
  bool learnt = true;
};

void append(const std::vector<TokenId>& from, std::vector<TokenId>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

int size_of(std::span<const EncodedTurn> turns) {
  int size = 0;
  for (const EncodedTurn& turn : turns) size += turn.source.size() + turn.target.size();
  return size;
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

void add_answer(const EncodedText& prompt, const EncodedText& answer, TokenizedExample& pair) {
  const size_t begin = pair.input_ids.size();
  for (const EncodedText* text : {&prompt, &answer}) {
    append_pictures(text->pictures, static_cast<int>(pair.input_ids.size()), pair.pictures);
    append(text->ids, pair.input_ids);
  }
  pair.labels.insert(pair.labels.end(), prompt.ids.size(), kIgnoredLabel);
  append(answer.ids, pair.labels);
  if (begin < pair.labels.size()) pair.labels[begin] = kIgnoredLabel;  // nothing stands before it
  pair.packed_lengths.push_back(static_cast<int>(pair.input_ids.size() - begin));
}

}  // namespace

JoinedTurns join_turns(std::vector<EncodedTurn> turns, const JoinOptions& options) {
  JoinedTurns joined;
  if (options.mask_history) std::reverse(turns.begin(), turns.end());
  int total = options.final_eos ? 1 : 0;
  const int needed = total + size_of(turns);
  std::vector<Part> parts;  // one a turn
  for (EncodedTurn& turn : turns) {
    if (total >= options.cutoff_len) {
      joined.truncated = true;
      break;
    }
    const auto [source_len, target_len] =
        infer_seqlen(turn.source.size(), turn.target.size(), options.cutoff_len - total);
    joined.truncated |= source_len < turn.source.size() || target_len < turn.target.size();
    turn.source.cut(source_len, needed);
    turn.target.cut(target_len, needed);
    total += source_len + target_len;
    const bool is_first = parts.empty();
    Part& part = parts.emplace_back();
    part.answer_len = turn.target.ids.size();
    part.learnt = turn.learnt;
    part.labels = source_labels(turn.source.ids, options, is_first);
    if (options.mask_history && !is_first)
      part.labels.resize(turn.source.ids.size() + turn.target.ids.size(), kIgnoredLabel);
    else
      append(turn.target.ids, part.labels);
    part.text = std::move(turn.source);
    part.text.append(turn.target);
  }
  if (options.mask_history) std::reverse(parts.begin(), parts.end());
  TokenizedExample& example = joined.example;
  if (options.final_eos) mask_ends(parts);
  for (Part& part : parts) {
    if (!part.learnt) std::fill_n(part.labels.rbegin(), part.answer_len, kIgnoredLabel);
    append_pictures(part.text.pictures, static_cast<int>(example.input_ids.size()), example.pictures);
    append(part.text.ids, example.input_ids);
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

TokenizedExample join_pair(const EncodedText& prompt, const EncodedText& chosen, const EncodedText& rejected) {
  TokenizedExample pair;
  add_answer(prompt, chosen, pair);
  add_answer(prompt, rejected, pair);
  return pair;
}

}  // namespace hearth
