// Free text up to a mark, as an automaton of what of the marks has been read (Aho and Corasick's), a rule a state.
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "runtime/grammar/grammar.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

std::vector<std::u32string> characters_of(const std::vector<std::string>& texts) {
  std::vector<std::u32string> out;
  for (const std::string& text : texts) {
    std::u32string& one = out.emplace_back();
    for (size_t at = 0; at < text.size();) one += utf8::decode(text, at);
  }
  return out;
}

Expr any_text() { return grammar::repeat(grammar::chars(CharSet::all()), 0); }

// Of what begins alike, what comes next.
Expr not_beginning(const std::vector<std::u32string_view>& marks) {
  std::map<char32_t, std::vector<std::u32string_view>> by_first;
  for (const std::u32string_view mark : marks) {
    if (mark.empty()) return grammar::nothing();
    by_first[mark.front()].push_back(mark.substr(1));
  }
  CharSet begins;
  std::vector<Expr> alternatives = {grammar::sequence({})};
  for (const auto& [first, rest] : by_first) {
    begins.add(first, first);
    alternatives.push_back(grammar::sequence({grammar::chars({{first, first}}), not_beginning(rest)}));
  }
  alternatives.push_back(grammar::sequence({grammar::chars(begins.complement()), any_text()}));
  return grammar::choice(std::move(alternatives));
}

}  // namespace

Expr text_without(Grammar& grammar, const std::vector<std::string>& marks) {
  const std::vector<std::u32string> wanted = characters_of(marks);
  // The states are the beginnings of marks; from each, a character leads to the longest one that the text then ends on.
  std::map<std::u32string, int> rule_of;
  for (const std::u32string& mark : wanted)
    for (size_t length = 0; length < mark.size(); ++length)
      rule_of.emplace(mark.substr(0, length), static_cast<int>(grammar.rules.size() + rule_of.size()));
  CharSet special;
  for (const std::u32string& mark : wanted)
    for (const char32_t c : mark) special.add(c, c);
  const size_t first_rule = grammar.rules.size();
  grammar.rules.resize(first_rule + rule_of.size());
  const auto is_whole = [&](const std::u32string& read) {
    return std::ranges::any_of(wanted, [&](const std::u32string& mark) { return read.ends_with(mark); });
  };
  for (const auto& [read, index] : rule_of) {
    std::map<int, CharSet> leads_to;
    leads_to[rule_of.at(U"")] = special.complement();
    for (const CharSet::Range& range : special.ranges()) {
      for (char32_t c = range.first; c <= range.last; ++c) {
        std::u32string next = read + c;
        if (is_whole(next)) continue;
        while (!rule_of.contains(next)) next.erase(0, 1);
        leads_to[rule_of.at(next)].add(c, c);
      }
    }
    std::vector<Expr> alternatives = {grammar::sequence({})};
    for (auto& [to, chars] : leads_to)
      alternatives.push_back(grammar::sequence({grammar::chars(std::move(chars)), grammar::rule(to)}));
    grammar.rules[static_cast<size_t>(index)] = grammar::choice(std::move(alternatives));
  }
  return grammar::rule(rule_of.at(U""));
}

Expr text_not_beginning(const std::vector<std::string>& marks) {
  const std::vector<std::u32string> wanted = characters_of(marks);
  return not_beginning({wanted.begin(), wanted.end()});
}

}  // namespace hearth
