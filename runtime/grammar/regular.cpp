#include "runtime/grammar/regular.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr size_t kMaxNodes = 20'000, kMaxStates = 20'000;
constexpr int64_t kMaxSteps = 1'000'000;

[[noreturn]] void fail_too_large() {
  throw invalid_argument("patterns and lengths together take an automaton of more than {} states: lower the lengths",
                         kMaxStates);
}

// An expression without rules, over characters.
class CharNfa {
 public:
  explicit CharNfa(const Expr& expr) {
    add_node();
    end_ = compile(expr, 0);
  }

  struct Edge {
    const CharSet* chars;
    int to;
  };

  int end() const { return end_; }
  // What is reached without reading, the node itself among it.
  const std::set<int>& closure(int node) {
    const auto [known, is_new] = closures_.try_emplace(node);
    if (!is_new) return known->second;
    std::vector<int> open = {node};
    while (!open.empty()) {
      const int at = open.back();
      open.pop_back();
      if (++steps_ > kMaxSteps) fail_too_large();
      if (known->second.insert(at).second)
        open.insert(open.end(), nodes_[static_cast<size_t>(at)].epsilon.begin(),
                    nodes_[static_cast<size_t>(at)].epsilon.end());
    }
    return known->second;
  }
  const std::vector<Edge>& edges(int node) const { return nodes_[static_cast<size_t>(node)].edges; }

 private:
  struct Node {
    std::vector<Edge> edges = {};
    std::vector<int> epsilon = {};
  };

  int add_node() {
    if (nodes_.size() >= kMaxNodes) fail_too_large();
    nodes_.emplace_back();
    return static_cast<int>(nodes_.size() - 1);
  }
  void connect(int from, int to) { nodes_[static_cast<size_t>(from)].epsilon.push_back(to); }

  int compile(const Expr& expr, int from) {
    switch (expr.kind) {
      case Expr::Kind::kChars: {
        const int to = add_node();
        nodes_[static_cast<size_t>(from)].edges.push_back({&expr.chars, to});
        return to;
      }
      case Expr::Kind::kSequence:
        for (const Expr& part : expr.parts) from = compile(part, from);
        return from;
      case Expr::Kind::kChoice: {
        const int end = add_node();
        for (const Expr& part : expr.parts) {
          const int begin = add_node();
          connect(from, begin);
          connect(compile(part, begin), end);
        }
        return end;
      }
      default:
        return compile_repeat(expr, from);
    }
  }

  int compile_repeat(const Expr& repeat, int from) {
    const Expr& part = repeat.parts.front();
    const auto behind = [this](int before) {
      const int node = add_node();
      connect(before, node);
      return node;
    };
    int at = behind(from);
    for (int64_t i = 0; i < repeat.min; ++i) at = behind(compile(part, at));
    if (repeat.max == Expr::kUnbounded) {
      connect(compile(part, at), at);
      return behind(at);
    }
    const int end = add_node();
    for (int64_t i = repeat.min; i < repeat.max; ++i) {
      connect(at, end);
      at = behind(compile(part, at));
    }
    connect(at, end);
    return end;
  }

  std::vector<Node> nodes_;
  std::map<int, std::set<int>> closures_;
  int64_t steps_ = 0;
  int end_ = 0;
};

using Place = std::vector<int>;  // a node of each automaton

class Product {
 public:
  explicit Product(std::span<const Expr> parts) {
    for (const Expr& part : parts) automata_.emplace_back(part);
    state_of(Place(parts.size(), 0));
    for (size_t i = 0; i < places_.size(); ++i) {
      std::vector<Expr> alternatives;
      add_steps(places_[i], alternatives);
      rules_.push_back(grammar::choice(std::move(alternatives)));
    }
  }

  std::vector<Expr> take_rules() { return std::move(rules_); }

 private:
  int state_of(Place place) {
    const auto [known, is_new] = states_.try_emplace(place, static_cast<int>(places_.size()));
    if (is_new) {
      if (places_.size() >= kMaxStates) fail_too_large();
      places_.push_back(std::move(place));
    }
    return known->second;
  }

  void add_steps(const Place& from, std::vector<Expr>& out) {
    bool ends = true;
    for (size_t a = 0; a < automata_.size(); ++a)
      ends = ends && automata_[a].closure(from[a]).contains(automata_[a].end());
    if (ends) out.push_back(grammar::sequence({}));
    std::map<Place, CharSet> steps;
    walk(from, 0, CharSet::all(), {}, steps);
    for (const auto& [to, chars] : steps)
      out.push_back(grammar::sequence({grammar::chars(chars), grammar::rule(state_of(to))}));
  }

  // All ways to read a character that every automaton from `a` on reads too.
  void walk(const Place& from, size_t a, const CharSet& chars, const Place& to, std::map<Place, CharSet>& steps) {
    if (++steps_ > kMaxSteps) fail_too_large();
    if (chars.empty()) return;
    if (a == automata_.size()) {
      steps[to].add(chars);
      return;
    }
    for (const int node : automata_[a].closure(from[a]))
      for (const CharNfa::Edge& edge : automata_[a].edges(node)) {
        Place next = to;
        next.push_back(edge.to);
        walk(from, a + 1, chars.intersection(*edge.chars), next, steps);
      }
  }

  std::vector<CharNfa> automata_;
  int64_t steps_ = 0;
  std::map<Place, int> states_;
  std::vector<Place> places_;
  std::vector<Expr> rules_;
};

Expr all_but(const std::vector<std::u32string_view>& texts) {
  std::vector<Expr> alternatives;
  std::map<char32_t, std::vector<std::u32string_view>> by_first;
  bool has_empty = false;
  for (const std::u32string_view text : texts) {
    if (text.empty()) {
      has_empty = true;
    } else {
      by_first[text.front()].push_back(text.substr(1));
    }
  }
  if (!has_empty) alternatives.push_back(grammar::sequence({}));
  CharSet begins;
  for (const auto& [first, rest] : by_first) {
    begins.add(first, first);
    alternatives.push_back(grammar::sequence({grammar::chars({{first, first}}), all_but(rest)}));
  }
  alternatives.push_back(
      grammar::sequence({grammar::chars(begins.complement()), grammar::repeat(grammar::chars(CharSet::all()), 0)}));
  return grammar::choice(std::move(alternatives));
}

}  // namespace

std::vector<Expr> intersection(std::span<const Expr> parts) { return Product(parts).take_rules(); }

Expr all_but(std::span<const std::string> texts) {
  std::vector<std::u32string> characters;
  for (const std::string& text : texts) {
    std::u32string& one = characters.emplace_back();
    for (size_t at = 0; at < text.size();) one += utf8::decode(text, at);
  }
  return all_but(std::vector<std::u32string_view>(characters.begin(), characters.end()));
}

}  // namespace hearth
