// A tokenizer as LLaMA-Factory leaves it before it encodes training data: the end of sequence that the template wants,
// and its stop words as control tokens. LLaMA-Factory adds words that the vocabulary lacks to it, with ids that the
// model has no rows for; here a text that spells one is refused by name, any other text has the same ids.
// Source: LLaMA-Factory's Template.fix_special_tokens and _convert_elements_to_ids.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"
#include "templates/llamafactory/slot_template.h"

namespace hearth {

class TrainingTokenizer {
 public:
  // `slots`: the template by name; null: none. Throws kInvalidArgument where the template itself writes a word that is
  // no control token of the tokenizer.
  TrainingTokenizer(std::shared_ptr<const Tokenizer> tokenizer, const SlotTemplate* slots, bool split_special_tokens);

  // Throw kInvalidArgument for text that is not UTF-8 or spells a missing stop word, and for tokens that are missing.
  std::vector<TokenId> encode(std::string_view text) const;
  std::vector<TokenId> encode(std::span<const PromptSegment> segments) const;  // each by itself

  // The template's, else the tokenizer's, else <|endoftext|>. Throws kInvalidArgument where there is none.
  TokenId eos() const;
  std::optional<TokenId> pad() const;  // the tokenizer's, else eos
  // What the tokenizer puts before every text; nothing where it puts nothing.
  std::optional<TokenId> beginning() const { return beginning_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool split_special_tokens_;
  std::optional<TokenId> eos_, beginning_;
  std::string eos_text_;
  std::vector<std::string> missing_;  // stop words
};

}  // namespace hearth
