#include "runtime/grammar/automaton.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using ByteRange = std::pair<uint8_t, uint8_t>;
using ByteSequence = std::vector<ByteRange>;

int utf8_length(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

uint8_t utf8_byte(char32_t c, int length, int index) {
  if (length == 1) return static_cast<uint8_t>(c);
  constexpr uint8_t kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  const uint32_t bits = static_cast<uint32_t>(c) >> (6 * (length - 1 - index));
  return index == 0 ? static_cast<uint8_t>(kLead[length] | bits) : static_cast<uint8_t>(0x80u | (bits & 0x3Fu));
}

// The sequences of byte ranges that spell first..last, all of one length: split where a continuation byte does not run
// from its least to its greatest value.
void add_sequences(char32_t first, char32_t last, std::vector<ByteSequence>& out) {
  for (const char32_t end : {0x7Fu, 0x7FFu, 0xFFFFu})
    if (first <= end && last > end) {
      add_sequences(first, end, out);
      add_sequences(end + 1, last, out);
      return;
    }
  const int length = utf8_length(first);
  for (int i = 1; i < length; ++i) {
    const char32_t mask = (char32_t{1} << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      add_sequences(first, first | mask, out);
      add_sequences((first | mask) + 1, last, out);
      return;
    }
    if ((last & mask) != mask) {
      add_sequences(first, (last & ~mask) - 1, out);
      add_sequences(last & ~mask, last, out);
      return;
    }
  }
  ByteSequence sequence;
  for (int i = 0; i < length; ++i) sequence.emplace_back(utf8_byte(first, length, i), utf8_byte(last, length, i));
  out.push_back(std::move(sequence));
}

// Whether `expr` is one character, and may be any plain one.
bool takes_plain_chars(const Expr& expr) {
  if (expr.kind == Expr::Kind::kChars) return expr.chars.contains(plain_string_chars());
  return expr.kind == Expr::Kind::kChoice &&
         std::ranges::any_of(expr.parts, [](const Expr& part) { return takes_plain_chars(part); });
}

}  // namespace

const CharSet& plain_string_chars() {
  static const CharSet kPlain = [] {
    CharSet excluded{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    return excluded.complement();
  }();
  return kPlain;
}

Automaton::Automaton(const Grammar& grammar, const AutomatonLimits& limits) : limits_(limits) {
  for (size_t i = 0; i < grammar.rules.size(); ++i) rule_begin_.push_back(new_node());
  for (size_t i = 0; i < grammar.rules.size(); ++i)
    nodes_[static_cast<size_t>(compile(grammar.rules[i], rule_begin_[i]))].accepts = true;
  begin_ = rule_begin_[static_cast<size_t>(grammar.root)];
  find_ends();
  check_left_recursion(grammar);
}

int32_t Automaton::new_node() {
  if (size() >= limits_.nodes)
    throw invalid_argument("it takes an automaton of more than {} nodes: lower its counts and lengths", limits_.nodes);
  nodes_.emplace_back();
  return static_cast<int32_t>(nodes_.size() - 1);
}

int32_t Automaton::compile(const Expr& expr, int32_t from) {
  switch (expr.kind) {
    case Expr::Kind::kChars:
      return compile_chars(expr.chars, from);
    case Expr::Kind::kControl: {
      const int32_t middle = new_node(), end = new_node();
      const auto index = static_cast<uint8_t>(expr.control);
      nodes_[static_cast<size_t>(from)].edges.push_back({kControlByte, kControlByte, middle});
      nodes_[static_cast<size_t>(middle)].edges.push_back({index, index, end});
      return end;
    }
    case Expr::Kind::kSequence:
      for (const Expr& part : expr.parts) from = compile(part, from);
      return from;
    case Expr::Kind::kChoice: {
      const int32_t end = new_node();
      for (const Expr& part : expr.parts) {
        const int32_t begin = new_node();
        nodes_[static_cast<size_t>(from)].epsilon.push_back(begin);
        const int32_t last = compile(part, begin);
        nodes_[static_cast<size_t>(last)].epsilon.push_back(end);
      }
      return end;
    }
    case Expr::Kind::kRepeat:
      return compile_repeat(expr, from);
    case Expr::Kind::kRule:
      break;
  }
  const int32_t end = new_node();
  nodes_[static_cast<size_t>(from)].calls.push_back({rule_begin_[static_cast<size_t>(expr.rule)], end});
  return end;
}

int32_t Automaton::compile_chars(const CharSet& set, int32_t from) {
  std::vector<ByteSequence> sequences;
  for (const CharSet::Range& range : set.ranges()) add_sequences(range.first, range.last, sequences);
  const int32_t end = new_node();
  std::map<ByteSequence, int32_t> behind;  // what is left to read -> the node that reads it
  for (const ByteSequence& sequence : sequences) {
    int32_t to = end;
    for (size_t i = sequence.size() - 1; i > 0; --i) {
      const ByteSequence rest(sequence.begin() + static_cast<ptrdiff_t>(i), sequence.end());
      const auto [known, is_new] = behind.try_emplace(rest, 0);
      if (is_new) {
        const int32_t node = new_node();
        nodes_[static_cast<size_t>(node)].edges.push_back({sequence[i].first, sequence[i].second, to});
        known->second = node;
      }
      to = known->second;
    }
    nodes_[static_cast<size_t>(from)].edges.push_back({sequence[0].first, sequence[0].second, to});
  }
  return end;
}

int32_t Automaton::compile_repeat(const Expr& repeat, int32_t from) {
  const Expr& part = repeat.parts.front();
  const bool plain = takes_plain_chars(part);
  const bool endless = repeat.max == Expr::kUnbounded;
  if (std::max(repeat.min, repeat.max) > limits_.nodes)
    throw invalid_argument("a count of {} is more than {}: lower it", std::max(repeat.min, repeat.max), limits_.nodes);
  // Reads the part once, from a node of its own, so that neither a loop nor a run reaches into what is before.
  const auto compile_part = [&](int32_t at, int64_t left) {
    const int32_t end = compile(part, at);
    if (plain) mark_plain_run(at, static_cast<int32_t>(std::min<int64_t>(left, kEndless)));
    return end;
  };
  const auto behind = [&](int32_t before) {
    const int32_t at = new_node();
    nodes_[static_cast<size_t>(before)].epsilon.push_back(at);
    return at;
  };
  int32_t at = behind(from);
  for (int64_t i = 0; i < repeat.min; ++i) at = behind(compile_part(at, endless ? kEndless : repeat.max - i));
  if (endless) {
    const int32_t again = compile_part(at, kEndless);
    nodes_[static_cast<size_t>(again)].epsilon.push_back(at);
    return behind(at);
  }
  const int32_t end = new_node();
  for (int64_t i = repeat.min; i < repeat.max; ++i) {
    const int32_t next = compile_part(at, repeat.max - i);
    nodes_[static_cast<size_t>(at)].epsilon.push_back(end);
    at = behind(next);
  }
  nodes_[static_cast<size_t>(at)].epsilon.push_back(end);
  return end;
}

// Of the nodes that read a part's first byte: they are reached through `at` alone, so all of them stand where it does.
void Automaton::mark_plain_run(int32_t at, int32_t run) {
  Node& here = nodes_[static_cast<size_t>(at)];
  here.plain_run = run;
  for (const int32_t to : here.epsilon) mark_plain_run(to, run);
}

// Later nodes lead to earlier ones and the other way round, so from each node the one way on is followed to where it
// parts.
void Automaton::find_ends() {
  constexpr int kMostSteps = 1000;
  for (Node& first : nodes_) {
    const Node* at = &first;
    for (int i = 0; i < kMostSteps && at->edges.empty() && at->calls.empty() && !at->accepts && at->epsilon.size() == 1;
         ++i)
      at = &node(at->epsilon.front());
    first.only_ends = at->accepts && at->edges.empty() && at->epsilon.empty() && at->calls.empty();
  }
}

// A rule from which its own beginning is reached without reading a byte would push returns without end. Rules that may
// be empty count as passed.
void Automaton::check_left_recursion(const Grammar& grammar) const {
  const size_t rules = rule_begin_.size();
  std::map<int32_t, size_t> rule_at;
  for (size_t i = 0; i < rules; ++i) rule_at[rule_begin_[i]] = i;
  std::vector<bool> may_be_empty(rules, false);
  std::vector<std::vector<size_t>> begins_with(rules);
  std::vector<int64_t> seen_in(nodes_.size(), 0);
  int64_t pass = 0;
  const auto look = [&](size_t rule) {
    ++pass;
    std::vector<int32_t> open = {rule_begin_[rule]};
    bool empty = false;
    begins_with[rule].clear();
    while (!open.empty()) {
      const int32_t at = open.back();
      open.pop_back();
      if (std::exchange(seen_in[static_cast<size_t>(at)], pass) == pass) continue;
      empty = empty || node(at).accepts;
      for (const int32_t to : node(at).epsilon) open.push_back(to);
      for (const Call& call : node(at).calls) {
        const size_t called = rule_at.at(call.rule_begin);
        begins_with[rule].push_back(called);
        if (may_be_empty[called]) open.push_back(call.return_to);
      }
    }
    return empty;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < rules; ++i)
      if (look(i) && !may_be_empty[i]) changed = may_be_empty[i] = true;
  }
  for (size_t i = 0; i < rules; ++i) {
    std::vector<bool> reached(rules, false);
    std::vector<size_t> open = begins_with[i];
    while (!open.empty()) {
      const size_t at = open.back();
      open.pop_back();
      if (reached[at]) continue;
      reached[at] = true;
      open.insert(open.end(), begins_with[at].begin(), begins_with[at].end());
    }
    if (reached[i])
      throw invalid_argument("rule '{}' begins with itself: put what it repeats in front",
                             i < grammar.names.size() ? grammar.names[i] : std::to_string(i));
  }
}

}  // namespace hearth
