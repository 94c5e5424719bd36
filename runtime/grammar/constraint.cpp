#include "runtime/grammar/constraint.h"

#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// Of a grammar, before it forgets what it knows; a mask takes an eighth of the vocabulary.
constexpr int64_t kMostBytes = int64_t{32} << 20;
constexpr size_t kMostMasks = 500;

}  // namespace

TokenGrammar::TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTable> tokens)
    : tokens_(std::move(tokens)), matcher_(std::move(automaton)) {}

void TokenGrammar::describe(Position& position, Matcher::State state) {
  position.state = state;
  position.generation = generation_;
  position.stacks = matcher_.stacks(state);
  position.may_end = matcher_.may_end(state);
  position.must_end = matcher_.must_end(state);
}

Matcher::State TokenGrammar::state_of(Position& position) {
  if (matcher_.bytes() > kMostBytes || masks_.size() > kMostMasks) {
    matcher_.forget_all();
    masks_.clear();
    ++generation_;
  }
  if (position.generation != generation_) describe(position, matcher_.state_of(position.stacks, position.may_end));
  return position.state;
}

TokenGrammar::Position TokenGrammar::begin() {
  const std::lock_guard lock(mutex_);
  Position position;
  describe(position, matcher_.begin());
  return position;
}

std::shared_ptr<const TokenMask> TokenGrammar::mask(Position& position) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const TokenMask>& mask = masks_[state_of(position)];
  if (!mask) mask = std::make_shared<TokenMask>(tokens_->readable(matcher_, position.state));
  return mask;
}

void TokenGrammar::advance(Position& position, TokenId id) {
  const std::lock_guard lock(mutex_);
  const Matcher::State next = matcher_.read(state_of(position), tokens_->bytes(id));
  if (next == Matcher::kDead) throw internal_error("token {} was drawn, which the grammar does not allow", id);
  describe(position, next);
}

GrammarConstraint::GrammarConstraint(std::shared_ptr<TokenGrammar> grammar)
    : grammar_(std::move(grammar)), position_(grammar_->begin()) {}

std::span<const uint64_t> GrammarConstraint::allowed() {
  if (!mask_) mask_ = grammar_->mask(position_);
  return *mask_;
}

void GrammarConstraint::accept(TokenId id) {
  grammar_->advance(position_, id);
  mask_.reset();
}

}  // namespace hearth
