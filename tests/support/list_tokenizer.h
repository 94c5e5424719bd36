// A vocabulary of given byte strings: token i is pieces[i], and those behind the last plain piece are control tokens.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth::test {

class ListTokenizer : public Tokenizer {
 public:
  explicit ListTokenizer(std::vector<std::string> pieces, std::vector<std::string> control = {})
      : plain_(pieces.size()), pieces_(std::move(pieces)) {
    pieces_.insert(pieces_.end(), control.begin(), control.end());
  }

  std::vector<TokenId> encode(std::string_view, const EncodeOptions&) const override {
    throw internal_error("ListTokenizer does not encode");
  }
  std::string token_bytes(TokenId id) const override { return pieces_.at(static_cast<size_t>(id)); }
  std::string token_text(TokenId id) const override { return pieces_.at(static_cast<size_t>(id)); }
  std::optional<TokenId> token_id(std::string_view) const override { return std::nullopt; }
  bool is_special(TokenId id) const override { return static_cast<size_t>(id) >= plain_; }
  int64_t vocab_size() const override { return static_cast<int64_t>(pieces_.size()); }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return std::nullopt; }

 private:
  size_t plain_;
  std::vector<std::string> pieces_;
};

}  // namespace hearth::test
