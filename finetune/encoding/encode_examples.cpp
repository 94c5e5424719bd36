#include "finetune/encoding/encode_examples.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "finetune/encoding/encode_each.h"
#include "finetune/encoding/infer_seqlen.h"
#include "finetune/encoding/join_turns.h"
#include "finetune/encoding/packing.h"
#include "finetune/encoding/turn_encoder.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// One example's, in the place of that example.
struct Outcome {
  TokenizedExample tokenized;
  bool truncated = false;
  std::string dropped;  // why; empty: it is there
};

std::vector<Outcome> outcomes_of(size_t count, const std::function<Outcome(size_t)>& encode) {
  std::vector<Outcome> outcomes(count);
  std::vector<std::string> refused = encode_each(count, [&](size_t i) { outcomes[i] = encode(i); });
  for (size_t i = 0; i < count; ++i) outcomes[i].dropped = std::move(refused[i]);
  return outcomes;
}

Outcome encode_supervised(const TurnEncoder& encoder, const JoinOptions& options, const Example& example) {
  if (example.prompt.size() % 2 != 1 || example.response.size() != 1)
    throw invalid_argument("it has {} messages and {} answers: must be an odd number and 1", example.prompt.size(),
                           example.response.size());
  std::vector<EncodedTurn> turns = encoder.turns(example);
  if (!example.unlearnt.empty() && turns.size() != example.prompt.size() / 2 + 1)
    throw invalid_argument("answers with weight 0: the template's marks do not tell its answers apart");
  for (const size_t answer : example.unlearnt) turns.at(answer).learnt = false;
  JoinedTurns joined = join_turns(std::move(turns), options);
  return {std::move(joined.example), joined.truncated, {}};
}

void check_pair(const Example& example) {
  if (example.prompt.size() % 2 != 1 || example.response.size() != 2)
    throw invalid_argument("it has {} messages and {} answers: must be an odd number and 2", example.prompt.size(),
                           example.response.size());
}

// The prompt of `example` and this answer to it.
EncodedTurn encode_answer(const TurnEncoder& encoder, Example example, const SlotMessage& answer) {
  example.response = {answer};
  EncodedTurn turn = encoder.last_turn(example);
  if (turn.target.empty()) throw invalid_argument("the template writes nothing of an answer");
  if (encoder.final_eos()) turn.target.ids.push_back(*encoder.final_eos());
  return turn;
}

// Whether anything was cut off.
bool cut(EncodedText& text, int size, int needed) {
  const bool cuts = size < text.size();
  text.cut(size, needed);
  return cuts;
}

// Chosen and rejected answer to the same prompt, one behind the other and each by itself. Source: LLaMA-Factory's
// PairwiseDatasetProcessor.
Outcome encode_pair(const TurnEncoder& encoder, int cutoff_len, const Example& example) {
  check_pair(example);
  EncodedTurn chosen = encode_answer(encoder, example, example.response[0]);
  EncodedTurn rejected = encode_answer(encoder, example, example.response[1]);
  const int target = std::max(chosen.target.size(), rejected.target.size()), needed = chosen.source.size() + target;
  const TurnLengths kept = infer_seqlen(chosen.source.size(), target, cutoff_len);
  Outcome out;
  out.truncated = cut(chosen.source, kept.source, needed);
  for (EncodedTurn* turn : {&chosen, &rejected}) out.truncated |= cut(turn->target, kept.target, needed);
  out.tokenized = join_pair(chosen.source, chosen.target, rejected.target);
  return out;
}

// An empty first response says that the second is the undesirable answer.
const SlotMessage& own_answer(const Example& example) {
  check_pair(example);
  return example.response[example.response[0].content.empty() ? 1 : 0];
}

// An example's own answer and, behind the same prompt, that of `other`. Source: LLaMA-Factory's
// FeedbackDatasetProcessor.
Outcome encode_feedback(const TurnEncoder& encoder, int cutoff_len, const Example& example, const Example& other) {
  EncodedTurn own = encode_answer(encoder, example, own_answer(example));
  EncodedTurn kl = encode_answer(encoder, example, own_answer(other));
  Outcome out;
  for (EncodedTurn* turn : {&own, &kl}) {
    const int needed = turn->source.size() + turn->target.size();
    const TurnLengths kept = infer_seqlen(turn->source.size(), turn->target.size(), cutoff_len);
    out.truncated |= cut(turn->source, kept.source, needed);
    out.truncated |= cut(turn->target, kept.target, needed);
  }
  out.tokenized = join_pair(own, kl);
  out.tokenized.desirable = !example.response[0].content.empty();
  return out;
}

// Whose answer is the KL answer of example i: the one before it in its group, and for the first the group's last.
size_t kl_index(size_t i, size_t count) {
  if (i % kEncodingGroup != 0) return i - 1;
  return std::min(i + kEncodingGroup, count) - 1;
}

// Text and its end are one text to the tokenizer.
class PretrainingEncoder {
 public:
  PretrainingEncoder(const LoadedModel& model, const DataSpec& data)
      : tokenizer_(model.tokenizer, model.named_template.get(), data.split_special_tokens),
        packs_(data.packs(Stage::kPretraining)),
        cutoff_len_(static_cast<size_t>(effective_cutoff_len(data))) {
    const bool is_llama3 = model.named_template && model.named_template->name == "llama3";
    end_ = is_llama3 ? "<|end_of_text|>" : tokenizer_.tokenizer().token_text(tokenizer_.eos());
    if (!packs_ && tokenizer_.beginning()) begin_ = tokenizer_.tokenizer().token_text(*tokenizer_.beginning());
  }

  Outcome operator()(const Example& example) const {
    if (example.prompt.empty()) throw invalid_argument("it has no text");
    if (!example.images.empty()) throw invalid_argument("it has images, which stage pt does not learn from");
    Outcome out;
    std::vector<TokenId>& ids = out.tokenized.input_ids;
    ids = tokenizer_.encode(begin_ + example.prompt.front().content + end_);
    if (packs_) return out;
    out.truncated = ids.size() > cutoff_len_;
    if (out.truncated) ids.resize(cutoff_len_);
    out.tokenized.labels = labels(ids);
    return out;
  }

  bool packs() const { return packs_; }

  // The texts in a row, cut in blocks; what is left over is dropped.
  std::vector<TokenizedExample> blocks(std::span<const TokenizedExample> texts) const {
    std::vector<TokenId> row;
    for (const TokenizedExample& text : texts) row.insert(row.end(), text.input_ids.begin(), text.input_ids.end());
    std::vector<TokenizedExample> out;
    for (size_t at = 0; at + cutoff_len_ <= row.size(); at += cutoff_len_) {
      TokenizedExample& block = out.emplace_back();
      block.input_ids.assign(row.begin() + static_cast<ptrdiff_t>(at),
                             row.begin() + static_cast<ptrdiff_t>(at + cutoff_len_));
      if (tokenizer_.beginning()) block.input_ids.front() = *tokenizer_.beginning();
      block.labels = labels(block.input_ids);
    }
    return out;
  }

 private:
  std::vector<TokenId> labels(std::vector<TokenId> ids) const {
    if (const auto pad = tokenizer_.pad()) std::replace(ids.begin(), ids.end(), *pad, kIgnoredLabel);
    return ids;
  }

  TrainingTokenizer tokenizer_;
  bool packs_;
  size_t cutoff_len_;
  std::string begin_, end_;
};

using Pack = std::function<std::vector<TokenizedExample>(std::span<const TokenizedExample>)>;

// `pack`: what becomes of a group; empty: its examples stay as they are.
EncodedData collect(std::span<const Example> examples, std::vector<Outcome> outcomes, const Pack& pack) {
  EncodedData data;
  std::vector<TokenizedExample> group;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Outcome& outcome = outcomes[i];
    data.truncated += outcome.truncated;
    if (outcome.dropped.empty())
      group.push_back(std::move(outcome.tokenized));
    else
      data.dropped.push_back({examples[i].place, std::move(outcome.dropped)});
    if ((i + 1) % kEncodingGroup != 0 && i + 1 != outcomes.size()) continue;
    if (pack) group = pack(group);
    std::move(group.begin(), group.end(), std::back_inserter(data.examples));
    group.clear();
  }
  return data;
}

}  // namespace

int effective_cutoff_len(const DataSpec& data) {
  return data.cutoff_len - (data.neat_packing || data.packing.value_or(false) ? 1 : 0);
}

EncodedData encode_examples(const LoadedModel& model, std::span<const Example> examples, const DataSpec& data,
                            Stage stage, std::optional<std::time_t> now) {
  const int cutoff_len = effective_cutoff_len(data);
  if (cutoff_len < 1)
    throw invalid_argument("cutoff_len is {}, must be at least {}", data.cutoff_len, 1 + data.cutoff_len - cutoff_len);
  if (stage == Stage::kPretraining) {
    const PretrainingEncoder encoder(model, data);
    Pack pack;
    if (encoder.packs()) pack = [&](std::span<const TokenizedExample> texts) { return encoder.blocks(texts); };
    EncodedData encoded =
        collect(examples, outcomes_of(examples.size(), [&](size_t i) { return encoder(examples[i]); }), pack);
    encoded.source = "texts as they are";
    return encoded;
  }
  if (stage == Stage::kPpo) throw invalid_argument("stage ppo is not encoded; sft, pt, rm, dpo and kto are");
  const TurnEncoder encoder(model, data, now);
  const JoinOptions options{cutoff_len, data.train_on_prompt, data.mask_history, encoder.final_eos()};
  const auto encode = [&](size_t i) {
    if (stage == Stage::kSft) return encode_supervised(encoder, options, examples[i]);
    if (stage == Stage::kKto)
      return encode_feedback(encoder, cutoff_len, examples[i], examples[kl_index(i, examples.size())]);
    return encode_pair(encoder, cutoff_len, examples[i]);
  };
  Pack pack;
  if (stage == Stage::kSft && data.packs(stage))
    pack = [&](std::span<const TokenizedExample> group) {
      return pack_examples(group, cutoff_len, !data.neat_packing);
    };
  EncodedData encoded = collect(examples, outcomes_of(examples.size(), encode), pack);
  encoded.source = encoder.source();
  return encoded;
}

}  // namespace hearth
