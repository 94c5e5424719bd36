#include "finetune/encoding/training_tokenizer.h"

#include <utility>

#include "models/prompt.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

Error lacks(std::string_view who, std::string_view word) {
  return invalid_argument(
      "{} the stop word '{}', which is no control token of the tokenizer; name the template that the model was made "
      "with, or none",
      who, word);
}

}  // namespace

TrainingTokenizer::TrainingTokenizer(std::shared_ptr<const Tokenizer> tokenizer, const SlotTemplate* slots,
                                     bool split_special_tokens)
    : tokenizer_(std::move(tokenizer)), split_special_tokens_(split_special_tokens) {
  const std::vector<TokenId> nothing = tokenizer_->encode("", {.add_special = true});
  if (!nothing.empty() && nothing.front() == tokenizer_->bos()) beginning_ = nothing.front();
  eos_ = tokenizer_->eos();
  if (!eos_) eos_text_ = "<|endoftext|>";
  if (slots && slots->replace_eos) eos_text_ = slots->stop_words.at(0);
  if (!eos_text_.empty()) eos_ = tokenizer_->token_id(eos_text_);
  if (!slots || split_special_tokens) return;
  for (const std::string& word : slots->stop_words) {
    const std::optional<TokenId> id = tokenizer_->token_id(word);
    if (!id || tokenizer_->encode(word) != std::vector<TokenId>{*id}) missing_.push_back(word);
  }
  for (const std::string& word : missing_)
    for (const SlotTemplate::Slots* list :
         {&slots->prefix, &slots->system, &slots->user, &slots->assistant, &slots->function, &slots->observation})
      for (const PromptSegment& slot : *list)
        if (slot.text.find(word) != std::string::npos)
          throw lacks(fmt::format("template '{}' writes", slots->name), word);
}

std::vector<TokenId> TrainingTokenizer::encode(std::string_view text) const {
  for (const std::string& word : missing_)
    if (text.find(word) != std::string_view::npos) throw lacks("the text has", word);
  return tokenizer_->encode(text, {.parse_special = !split_special_tokens_});
}

std::vector<TokenId> TrainingTokenizer::encode(std::span<const PromptSegment> segments) const {
  std::vector<TokenId> ids;
  for (const PromptSegment& segment : segments) {
    std::vector<TokenId> more;
    if (segment.kind == PromptSegment::Kind::kText)
      more = encode(segment.text);
    else if (segment.kind == PromptSegment::Kind::kEos)
      more = {eos()};
    else
      more = encode_segments(*tokenizer_, {&segment, 1});
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

TokenId TrainingTokenizer::eos() const {
  if (!eos_)
    throw invalid_argument("the tokenizer has no end-of-sequence token{}{}", eos_text_.empty() ? "" : " and no ",
                           eos_text_);
  return *eos_;
}

std::optional<TokenId> TrainingTokenizer::pad() const {
  const std::optional<TokenId> own = tokenizer_->pad();
  return own ? own : eos_;
}

}  // namespace hearth
