// Turns a growing list of tokens into text pieces that never cut a UTF-8 character; the pieces concatenate to what Tokenizer::decode gives.
#pragma once

#include <memory>
#include <string>

#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true);
  // The text that became certain with this token; may be empty. Bytes that can never become a character come out as U+FFFD.
  std::string push(TokenId id);
  // What was held back, at the end.
  std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  bool first_ = true;
  std::string pending_;
};

}  // namespace hearth
