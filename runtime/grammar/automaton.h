// A grammar as nodes with edges over bytes of UTF-8, which call each other's rules as functions do.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "runtime/grammar/grammar.h"

namespace hearth {

// Characters that stand for themselves in a JSON string.
const CharSet& plain_string_chars();

// What the automaton reads for a control token: this byte, which is in no UTF-8, and its index.
inline constexpr uint8_t kControlByte = 0xFF;

struct AutomatonLimits {
  int64_t nodes = 200'000;
};

class Automaton {
 public:
  struct Edge {
    uint8_t first, last;  // bytes
    int32_t to;
  };
  struct Call {
    int32_t rule_begin, return_to;
  };
  struct Node {
    std::vector<Edge> edges = {};
    std::vector<int32_t> epsilon = {};
    std::vector<Call> calls = {};
    bool accepts = false;  // its rule ends here
    // So many plain string characters may follow, whichever they are: what lets a mask take most tokens at once.
    int32_t plain_run = 0;
    bool only_ends = false;  // nothing can be read from here on, but the rule ends
  };
  static constexpr int32_t kEndless = std::numeric_limits<int32_t>::max();

  // Throws kInvalidArgument for a grammar that needs more nodes than `limits` has, or a rule that begins with itself.
  explicit Automaton(const Grammar& grammar, const AutomatonLimits& limits = {});

  int32_t begin() const { return begin_; }
  const Node& node(int32_t index) const { return nodes_[static_cast<size_t>(index)]; }
  int64_t size() const { return static_cast<int64_t>(nodes_.size()); }

 private:
  int32_t new_node();
  // Compiles `expr` from `from`; -> the node where it ends.
  int32_t compile(const Expr& expr, int32_t from);
  int32_t compile_chars(const CharSet& set, int32_t from);
  int32_t compile_repeat(const Expr& repeat, int32_t from);
  void mark_plain_run(int32_t at, int32_t run);
  void find_ends();
  void check_left_recursion(const Grammar& grammar) const;

  AutomatonLimits limits_;
  std::vector<Node> nodes_;
  std::vector<int32_t> rule_begin_;
  int32_t begin_ = 0;
};

}  // namespace hearth
