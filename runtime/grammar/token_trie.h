// A vocabulary's tokens by their bytes, so that a mask is found in one walk: what cannot begin is left out with all
// that begins with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/grammar/matcher.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// Bit t of word t / 64: token t may come next.
using TokenMask = std::vector<uint64_t>;

inline bool has_token(std::span<const uint64_t> mask, TokenId id) {
  return mask[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64) & 1;
}

class TokenTrie {
 public:
  struct Token {
    std::string bytes;  // not empty
    TokenId id;
  };

  TokenTrie() = default;
  explicit TokenTrie(std::vector<Token> tokens);

  // Adds those whose bytes `matcher` can read from `state`. Throws kResourceExhausted where that takes too long.
  void add_readable(Matcher& matcher, Matcher::State state, TokenMask& mask) const;

 private:
  struct Node {
    uint8_t byte;
    uint32_t depth;
    uint32_t end;                       // the first node that does not begin as this one does
    uint32_t tokens_begin, tokens_end;  // in ids_
  };

  std::vector<Node> nodes_;  // in the order of their texts
  std::vector<TokenId> ids_;
  size_t depth_ = 0;
};

// The tokens of a tokenizer that are text, and the control tokens that grammars may name.
class TokenTable {
 public:
  static constexpr size_t kMaxControls = 256;

  // `controls`: those that Expr::control counts; the first kMaxControls of them.
  explicit TokenTable(const Tokenizer& tokenizer, std::span<const TokenId> controls = {});

  size_t words() const { return words_; }  // of a mask
  const std::string& bytes(TokenId id) const {
    return bytes_[static_cast<size_t>(id)];
  }  // as the automaton reads it; empty: it may not come
  // All tokens that may come in `state`.
  TokenMask readable(Matcher& matcher, Matcher::State state) const;

 private:
  size_t words_;
  std::vector<std::string> bytes_;
  TokenTrie all_, other_;
  // plain_[n]: the tokens of at most n + 1 plain string characters and nothing else, which a state that takes so many
  // takes unread. other_: the tokens that are not of that kind.
  std::vector<TokenMask> plain_;
};

}  // namespace hearth
