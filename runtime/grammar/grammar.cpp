#include "runtime/grammar/grammar.h"

#include <algorithm>
#include <utility>

#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

bool is_productive(const Expr& expr, const std::vector<bool>& productive) {
  const auto each = [&](const Expr& part) { return is_productive(part, productive); };
  switch (expr.kind) {
    case Expr::Kind::kChars:
      return !expr.chars.empty();
    case Expr::Kind::kControl:
      return true;
    case Expr::Kind::kSequence:
      return std::ranges::all_of(expr.parts, each);
    case Expr::Kind::kChoice:
      return std::ranges::any_of(expr.parts, each);
    case Expr::Kind::kRepeat:
      return expr.min == 0 || each(expr.parts.front());
    case Expr::Kind::kRule:
      break;
  }
  return productive[static_cast<size_t>(expr.rule)];
}

void take_out(Expr& expr, const std::vector<bool>& productive) {
  if (expr.kind == Expr::Kind::kChoice)
    std::erase_if(expr.parts, [&](const Expr& part) { return !is_productive(part, productive); });
  if (expr.kind == Expr::Kind::kRepeat && !is_productive(expr.parts.front(), productive)) {
    expr = grammar::sequence({});
    return;
  }
  for (Expr& part : expr.parts) take_out(part, productive);
}

void renumber(Expr& expr, int by) {
  if (expr.kind == Expr::Kind::kRule) expr.rule += by;
  for (Expr& part : expr.parts) renumber(part, by);
}

}  // namespace

Expr embed(Grammar& grammar, Grammar part) {
  const auto before = static_cast<int>(grammar.rules.size());
  for (Expr& rule : part.rules) {
    renumber(rule, before);
    grammar.rules.push_back(std::move(rule));
  }
  return grammar::rule(before + part.root);
}

bool prune(Grammar& grammar) {
  std::vector<bool> productive(grammar.rules.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = grammar.rules.size(); i-- > 0;)  // rules mostly call later ones
      if (!productive[i] && is_productive(grammar.rules[i], productive)) changed = productive[i] = true;
  }
  for (size_t i = 0; i < grammar.rules.size(); ++i) {
    if (productive[i]) {
      take_out(grammar.rules[i], productive);
    } else {
      grammar.rules[i] = grammar::nothing();
    }
  }
  return productive[static_cast<size_t>(grammar.root)];
}

}  // namespace hearth

namespace hearth::grammar {

Expr text(std::string_view utf8) {
  Expr out;
  for (size_t at = 0; at < utf8.size();) {
    const char32_t c = utf8::decode(utf8, at);
    out.parts.push_back(chars({{c, c}}));
  }
  return out;
}

Expr chars(CharSet set) { return {.kind = Expr::Kind::kChars, .chars = std::move(set)}; }

Expr sequence(std::vector<Expr> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expr::Kind::kSequence, .parts = std::move(parts)};
}

Expr choice(std::vector<Expr> alternatives) {
  if (alternatives.size() == 1) return std::move(alternatives.front());
  return {.kind = Expr::Kind::kChoice, .parts = std::move(alternatives)};
}

Expr repeat(Expr part, int64_t min, int64_t max) {
  Expr out{.kind = Expr::Kind::kRepeat, .min = min, .max = max};
  out.parts.push_back(std::move(part));
  return out;
}

Expr optional(Expr part) { return repeat(std::move(part), 0, 1); }

Expr rule(int index) { return {.kind = Expr::Kind::kRule, .rule = index}; }

Expr control(int index) { return {.kind = Expr::Kind::kControl, .control = index}; }

Expr nothing() { return {.kind = Expr::Kind::kChoice}; }

}  // namespace hearth::grammar
