// Turns a growing list of tokens into text pieces that never cut a UTF-8 character; the pieces concatenate to what
// Tokenizer::decode gives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

class StreamDecoder {
 public:
  // `shown`: special tokens that are text all the same.
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true,
                         std::vector<TokenId> shown = {});
  // The text that became certain with this token; may be empty. Bytes that can never become a character come out as
  // U+FFFD. Ids without a token add nothing, as in the reference.
  std::string push(TokenId id);
  // What was held back, at the end.
  std::string finish();

 private:
  friend class Tokenizer;
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special);  // borrows

  // Behind the last step: collects the text.
  struct Output : DecodeStage {
    void push(std::string token) override { text += token; }
    void finish() override {}
    std::string text;
  };

  std::shared_ptr<const Tokenizer> owner_;
  const Tokenizer* tokenizer_;
  DecodeRules rules_;
  bool skip_special_;
  std::vector<TokenId> shown_;
  std::unique_ptr<Output> output_;                    // stages refer to it
  std::vector<std::unique_ptr<DecodeStage>> stages_;  // the last step's first
};

}  // namespace hearth
