#include "runtime/engine/scheduler.h"

#include <algorithm>

namespace hearth {
namespace {

int blocks_for(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

std::span<const TokenId> block_tokens(const Sequence& sequence, int block) {
  return std::span(sequence.tokens).subspan(static_cast<size_t>(block) * kBlockTokens, kBlockTokens);
}

}  // namespace

bool Scheduler::cover(Sequence& sequence, int tokens) {
  const int wanted = blocks_for(tokens) - static_cast<int>(sequence.blocks.size());
  if (wanted > pool_.available()) return false;
  for (int i = 0; i < wanted; ++i) sequence.blocks.push_back(*pool_.allocate());
  return true;
}

void Scheduler::free_blocks(Sequence& sequence) {
  // Last first, so that the beginning of a prompt, which others may share, survives longest.
  while (!sequence.blocks.empty()) {
    pool_.release(sequence.blocks.back());
    sequence.blocks.pop_back();
  }
  sequence.computed = sequence.published = 0;
  sequence.chain = BlockPool::kNoChain;
}

// Preempts from the youngest until `tokens` of `sequence` are covered; false when it had to preempt `sequence` itself.
bool Scheduler::make_room(Sequence& sequence, int tokens, StepPlan& plan) {
  while (!cover(sequence, tokens)) {
    std::unique_ptr<Sequence> youngest = std::move(running_.back());
    running_.pop_back();
    const bool itself = youngest.get() == &sequence;
    std::erase_if(plan.rows, [&](const PlannedRows& rows) { return rows.sequence == youngest.get(); });
    free_blocks(*youngest);
    ++plan.preempted;
    waiting_.push_front(std::move(youngest));
    if (itself) return false;
  }
  return true;
}

void Scheduler::plan_decode(StepPlan& plan) {
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.decoding() && make_room(sequence, sequence.computed + 1, plan)) plan.rows.push_back({&sequence, 1});
  }
}

int Scheduler::plan_running_prompts(StepPlan& plan, int budget) {
  for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.decoding()) continue;
    const int rows = std::min(budget, sequence.pending());
    if (!make_room(sequence, sequence.computed + rows, plan)) break;
    plan.rows.push_back({&sequence, rows});
    budget -= rows;
  }
  return budget;
}

// Whole blocks that may come out of the cache: all but the one with the last token, whose logits are needed.
int Scheduler::shareable_blocks(const Sequence& sequence) const {
  return sequence.shares_prefix ? (static_cast<int>(sequence.tokens.size()) - 1) / kBlockTokens : 0;
}

void Scheduler::share_prefix(Sequence& sequence) {
  const int most = shareable_blocks(sequence);
  while (sequence.published < most) {
    const auto tokens = block_tokens(sequence, sequence.published);
    const auto block = pool_.share(sequence.chain, tokens);
    if (!block) break;
    sequence.blocks.push_back(*block);
    sequence.chain = BlockPool::extend(sequence.chain, tokens);
    ++sequence.published;
    sequence.computed += kBlockTokens;
  }
}

// Whether a running prompt is about to publish a block that `sequence`, which has `shareable` of them already, could
// share.
bool Scheduler::computed_elsewhere(const Sequence& sequence, int have) const {
  const int next_end = (have + 1) * kBlockTokens;
  if (have >= shareable_blocks(sequence)) return false;
  return std::ranges::any_of(running_, [&](const auto& other) {
    return other->shares_prefix && other->computed < next_end && static_cast<int>(other->tokens.size()) >= next_end &&
           std::equal(sequence.tokens.begin(), sequence.tokens.begin() + next_end, other->tokens.begin());
  });
}

void Scheduler::admit(StepPlan& plan, int budget) {
  auto next = waiting_.begin();
  while (next != waiting_.end() && budget > 0 && running() < limits_.max_running) {
    Sequence& sequence = **next;
    share_prefix(sequence);
    if (computed_elsewhere(sequence, sequence.published)) {
      free_blocks(sequence);
      ++next;
      continue;
    }
    const int rows = std::min(budget, sequence.pending());
    // The whole prompt must fit, or a half-computed prompt would be preempted by the next decode step. One sequence
    // alone always fits.
    const int missing =
        blocks_for(static_cast<int>(sequence.tokens.size()) + 1) - static_cast<int>(sequence.blocks.size());
    if ((missing > pool_.available() && !running_.empty()) || !cover(sequence, sequence.computed + rows)) {
      free_blocks(sequence);
      return;
    }
    if (!sequence.admitted) sequence.cached_tokens = sequence.computed;
    sequence.admitted = true;
    plan.rows.push_back({&sequence, rows});
    budget -= rows;
    running_.push_back(std::move(*next));
    next = waiting_.erase(next);
  }
}

StepPlan Scheduler::plan() {
  StepPlan plan;
  plan_decode(plan);
  const int decoding = static_cast<int>(plan.rows.size());
  const int left = plan_running_prompts(plan, limits_.step_tokens - decoding);
  if (plan.preempted == 0) admit(plan, left);
  plan.decode_rows = static_cast<int>(
      std::ranges::count_if(plan.rows, [](const PlannedRows& rows) { return rows.sequence->decoding(); }));
  return plan;
}

void Scheduler::computed(const StepPlan& plan) {
  for (const PlannedRows& rows : plan.rows) {
    Sequence& sequence = *rows.sequence;
    sequence.computed += rows.rows;
    if (!sequence.shares_prefix) continue;
    for (; (sequence.published + 1) * kBlockTokens <= sequence.computed; ++sequence.published) {
      const auto tokens = block_tokens(sequence, sequence.published);
      pool_.publish(sequence.blocks[sequence.published], sequence.chain, tokens);
      sequence.chain = BlockPool::extend(sequence.chain, tokens);
    }
  }
}

}  // namespace hearth
