// Reads text byte by byte and knows what an automaton allows next. Where the automaton is (a set of stacks of calls) is
// a state with a number, and what a byte does to it is found once and kept, so that most bytes cost a lookup. Not
// thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/grammar/automaton.h"

namespace hearth {

class Matcher {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;     // no text goes on from here
  static constexpr int kMaxDepth = 200;  // of calls: text that nests deeper is refused

  // Nodes from the top down: where a call goes on, and where those do that it stands in.
  using Stack = std::vector<int32_t>;

  explicit Matcher(std::shared_ptr<const Automaton> automaton);

  State begin() const { return begin_; }
  State next(State state, uint8_t byte) {
    const State known = transitions_[static_cast<size_t>(state)]->at(byte);
    return known == kUnknown ? find_next(state, byte) : known;
  }
  State read(State state, std::string_view bytes);
  bool accepts(std::string_view text) { return may_end(read(begin_, text)); }

  bool may_end(State state) const { return state != kDead && states_[static_cast<size_t>(state)].may_end; }
  bool must_end(State state) const { return states_[static_cast<size_t>(state)].tops.empty(); }
  // Node::plain_run, the most of all stacks.
  int32_t plain_run(State state) const { return states_[static_cast<size_t>(state)].plain_run; }

  // What is kept, roughly.
  int64_t bytes() const {
    constexpr int64_t kOfState = 1200, kOfFrame = 120;
    return kOfState * static_cast<int64_t>(states_.size()) + kOfFrame * static_cast<int64_t>(frames_.size());
  }
  // Nodes that were looked at in all.
  int64_t work() const { return work_; }
  // A state in terms that outlive forget_all().
  std::vector<Stack> stacks(State state) const;
  State state_of(std::span<const Stack> stacks, bool may_end);
  // All states but begin().
  void forget_all();

 private:
  static constexpr State kUnknown = -2;
  static constexpr int32_t kNoFrame = -1;

  struct Frame {
    int32_t node, below;  // kNoFrame: none
    int32_t depth;
  };
  struct StateData {
    std::vector<int32_t> tops;  // frames whose node has edges; sorted
    bool may_end = false;
    int32_t plain_run = 0;
  };
  struct Closure {
    std::vector<int32_t> tops;
    bool may_end = false;
  };
  struct TopsHash {
    size_t operator()(const std::vector<int32_t>& tops) const;
  };

  int32_t frame(int32_t node, int32_t below);
  // Everything that `node` on top of `below` leads to without reading a byte.
  void close(int32_t node, int32_t below, Closure& out);
  State intern(Closure closure);
  State find_next(State state, uint8_t byte);

  std::shared_ptr<const Automaton> automaton_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, int32_t> frame_of_;
  std::vector<StateData> states_;
  std::vector<std::unique_ptr<std::array<State, 256>>> transitions_;
  std::array<std::unordered_map<std::vector<int32_t>, State, TopsHash>, 2> state_of_;  // by may_end
  std::unordered_map<uint64_t, uint64_t> visited_;  // (node, frame below) -> the pass that was there last
  uint64_t pass_ = 0;
  int64_t work_ = 0;
  State begin_ = 0;
};

}  // namespace hearth
