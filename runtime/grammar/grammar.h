// A context-free grammar over Unicode text: what JSON Schema, regular expressions and GBNF become, and what an
// automaton is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/grammar/char_set.h"

namespace hearth {

struct Expr {
  enum class Kind { kChars, kSequence, kChoice, kRepeat, kRule, kControl };
  Kind kind = Kind::kSequence;
  CharSet chars = {};            // kChars: one of them
  std::vector<Expr> parts = {};  // kSequence (none: the empty text), kChoice (none: nothing matches), kRepeat: one
  int64_t min = 0, max = 0;      // kRepeat; max kUnbounded
  int rule = 0;                  // kRule
  int control = 0;               // kControl: a control token, by its place in TokenTable's list

  static constexpr int64_t kUnbounded = -1;
};

namespace grammar {

Expr text(std::string_view utf8);
Expr chars(CharSet set);
Expr sequence(std::vector<Expr> parts);
Expr choice(std::vector<Expr> alternatives);
Expr repeat(Expr part, int64_t min, int64_t max = Expr::kUnbounded);
Expr optional(Expr part);
Expr rule(int index);
Expr control(int index);
Expr nothing();  // matches no text at all

}  // namespace grammar

struct Grammar {
  std::vector<Expr> rules = {};
  std::vector<std::string> names = {};  // for errors; may be shorter
  int root = 0;
};

// Adds the rules of `part` to `grammar`; -> what stands for its root there.
Expr embed(Grammar& grammar, Grammar part);

// Any text in which none of `marks` (UTF-8, none empty) stands, as rules of `grammar`.
Expr text_without(Grammar& grammar, const std::vector<std::string>& marks);
// Any text that does not begin with one of them.
Expr text_not_beginning(const std::vector<std::string>& marks);

// Takes out what leads to no text at all, so that whoever follows the grammar comes to an end. False when nothing is
// left.
bool prune(Grammar& grammar);

}  // namespace hearth
