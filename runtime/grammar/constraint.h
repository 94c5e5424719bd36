// A grammar over a vocabulary, as the engine asks for it. What is found out about a grammar is shared by all requests
// that have it: the states it has been in, and the mask of each.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/grammar/matcher.h"
#include "runtime/grammar/token_trie.h"
#include "runtime/token_constraint.h"

namespace hearth {

// Thread-safe.
class TokenGrammar {
 public:
  TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTable> tokens);

 private:
  friend class GrammarConstraint;

  // Where a request is; survives that states are forgotten.
  struct Position {
    Matcher::State state = 0;
    uint64_t generation = 0;
    std::vector<Matcher::Stack> stacks;
    bool may_end = false, must_end = false;
  };

  Position begin();
  std::shared_ptr<const TokenMask> mask(Position& position);
  void advance(Position& position, TokenId id);
  Matcher::State state_of(Position& position);
  void describe(Position& position, Matcher::State state);

  const std::shared_ptr<const TokenTable> tokens_;
  std::mutex mutex_;
  Matcher matcher_;
  std::unordered_map<Matcher::State, std::shared_ptr<const TokenMask>> masks_;
  uint64_t generation_ = 0;  // grows when states are forgotten
};

class GrammarConstraint : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<TokenGrammar> grammar);

  std::span<const uint64_t> allowed() override;
  bool may_end() const override { return position_.may_end; }
  bool must_end() const override { return position_.must_end; }
  void accept(TokenId id) override;

 private:
  std::shared_ptr<TokenGrammar> grammar_;
  TokenGrammar::Position position_;
  std::shared_ptr<const TokenMask> mask_;
};

}  // namespace hearth
