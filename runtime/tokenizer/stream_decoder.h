// Turns a growing list of tokens into text pieces that never cut a UTF-8 character; the pieces concatenate to what
// Tokenizer::decode gives.
#pragma once

#include <memory>
#include <string>

#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true);
  // The text that became certain with this token; may be empty. Bytes that can never become a character come out as
  // U+FFFD. Ids without a token add nothing, as in the reference.
  std::string push(TokenId id);
  // What was held back, at the end.
  std::string finish();

 private:
  friend class Tokenizer;
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special);  // borrows

  // The text of byte-fallback tokens that were held back.
  void flush_byte_run(std::string& out);
  // Drops from `text` what is to be stripped at the start.
  void strip(std::string& text);

  std::shared_ptr<const Tokenizer> owner_;
  const Tokenizer* tokenizer_;
  DecodeRules rules_;
  bool skip_special_;
  bool first_ = true;
  uint32_t left_to_strip_;
  std::string pending_;  // bytes that are not text yet
};

}  // namespace hearth
