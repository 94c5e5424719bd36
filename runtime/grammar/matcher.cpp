#include "runtime/grammar/matcher.h"

#include <algorithm>
#include <utility>

namespace hearth {
namespace {

uint64_t key_of(int32_t node, int32_t below) {
  return static_cast<uint64_t>(static_cast<uint32_t>(node)) << 32 | static_cast<uint32_t>(below);
}

}  // namespace

size_t Matcher::TopsHash::operator()(const std::vector<int32_t>& tops) const {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int32_t top : tops) hash = (hash ^ static_cast<uint32_t>(top)) * 0x100000001b3;
  return hash;
}

Matcher::Matcher(std::shared_ptr<const Automaton> automaton) : automaton_(std::move(automaton)) { forget_all(); }

void Matcher::forget_all() {
  frames_.clear();
  frame_of_.clear();
  visited_.clear();
  states_.clear();
  transitions_.clear();
  for (auto& by_tops : state_of_) by_tops.clear();
  Closure closure;
  ++pass_;
  close(automaton_->begin(), kNoFrame, closure);
  begin_ = intern(std::move(closure));
}

int32_t Matcher::frame(int32_t node, int32_t below) {
  const auto [known, is_new] = frame_of_.try_emplace(key_of(node, below), static_cast<int32_t>(frames_.size()));
  if (is_new) frames_.push_back({node, below, below == kNoFrame ? 1 : frames_[static_cast<size_t>(below)].depth + 1});
  return known->second;
}

void Matcher::close(int32_t node, int32_t below, Closure& out) {
  std::vector<std::pair<int32_t, int32_t>> open = {{node, below}};
  while (!open.empty()) {
    const auto [at, under] = open.back();
    open.pop_back();
    if (std::exchange(visited_[key_of(at, under)], pass_) == pass_) continue;
    ++work_;
    const Automaton::Node& here = automaton_->node(at);
    if (here.accepts) {
      if (under == kNoFrame) {
        out.may_end = true;
      } else {
        const Frame& caller = frames_[static_cast<size_t>(under)];
        open.emplace_back(caller.node, caller.below);
      }
    }
    for (const int32_t to : here.epsilon) open.emplace_back(to, under);
    for (const Automaton::Call& call : here.calls) {
      // A call that is the last thing of its rule returns to where the rule does.
      const bool is_last = automaton_->node(call.return_to).only_ends;
      const int32_t caller = is_last ? under : frame(call.return_to, under);
      if (caller == kNoFrame || frames_[static_cast<size_t>(caller)].depth <= kMaxDepth)
        open.emplace_back(call.rule_begin, caller);
    }
    if (!here.edges.empty()) out.tops.push_back(frame(at, under));
  }
}

Matcher::State Matcher::intern(Closure closure) {
  std::ranges::sort(closure.tops);
  closure.tops.erase(std::unique(closure.tops.begin(), closure.tops.end()), closure.tops.end());
  if (closure.tops.empty() && !closure.may_end) return kDead;
  const auto [known, is_new] =
      state_of_[closure.may_end ? 1 : 0].try_emplace(closure.tops, static_cast<State>(states_.size()));
  if (!is_new) return known->second;
  StateData data{.tops = std::move(closure.tops), .may_end = closure.may_end};
  for (const int32_t top : data.tops)
    data.plain_run = std::max(data.plain_run, automaton_->node(frames_[static_cast<size_t>(top)].node).plain_run);
  states_.push_back(std::move(data));
  transitions_.push_back(std::make_unique<std::array<State, 256>>());
  transitions_.back()->fill(kUnknown);
  return known->second;
}

Matcher::State Matcher::find_next(State state, uint8_t byte) {
  Closure closure;
  ++pass_;
  // By index: close() adds frames.
  const std::vector<int32_t> tops = states_[static_cast<size_t>(state)].tops;
  for (const int32_t top : tops) {
    ++work_;
    const Frame here = frames_[static_cast<size_t>(top)];
    for (const Automaton::Edge& edge : automaton_->node(here.node).edges)
      if (edge.first <= byte && byte <= edge.last) close(edge.to, here.below, closure);
  }
  const State found = intern(std::move(closure));
  return transitions_[static_cast<size_t>(state)]->at(byte) = found;
}

Matcher::State Matcher::read(State state, std::string_view bytes) {
  for (const char byte : bytes) {
    if (state == kDead) break;
    state = next(state, static_cast<uint8_t>(byte));
  }
  return state;
}

std::vector<Matcher::Stack> Matcher::stacks(State state) const {
  std::vector<Stack> out;
  for (const int32_t top : states_[static_cast<size_t>(state)].tops) {
    Stack& stack = out.emplace_back();
    for (int32_t at = top; at != kNoFrame; at = frames_[static_cast<size_t>(at)].below)
      stack.push_back(frames_[static_cast<size_t>(at)].node);
  }
  return out;
}

Matcher::State Matcher::state_of(std::span<const Stack> stacks, bool may_end) {
  Closure closure{.tops = {}, .may_end = may_end};
  for (const Stack& stack : stacks) {
    int32_t below = kNoFrame;
    for (size_t i = stack.size(); i > 0; --i) below = frame(stack[i - 1], below);
    closure.tops.push_back(below);
  }
  return intern(std::move(closure));
}

}  // namespace hearth
