#include "runtime/engine/scheduler.h"

#include <algorithm>
#include <span>

#include "runtime/base/error.h"

namespace hearth {
namespace {

int blocks_for(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

Scheduler::Scheduler(BlockPool& pool, Limits limits) : pool_(pool), limits_(limits) {
  // Every running sequence may need a row.
  limits_.max_running = std::min(limits_.max_running, limits_.step_tokens);
}

void Scheduler::add(Sequence& sequence) { waiting_.push_back(&sequence); }

StepPlan Scheduler::plan() {
  StepPlan plan;
  plan_decode(plan);
  int left = limits_.step_tokens - static_cast<int>(plan.rows.size());
  const auto plan_chunk = [&](Sequence& sequence) {
    const int count = std::min(left, sequence.pending());
    plan_rows(plan, sequence, count);
    left -= count;
  };
  for (size_t i = 0; i < running_.size() && left > 0; ++i)
    if (running_[i]->pending() > 1) plan_chunk(*running_[i]);
  if (!plan.preempted.empty()) return plan;  // what was freed belongs to those that run
  while (left > 0 && !waiting_.empty() && static_cast<int>(running_.size()) < limits_.max_running) {
    Sequence& next = *waiting_.front();
    if (!try_admit(next)) break;
    waiting_.pop_front();
    running_.push_back(&next);
    if (!next.admitted) plan.admitted.push_back(&next);
    next.admitted = true;
    plan_chunk(next);
  }
  return plan;
}

void Scheduler::plan_decode(StepPlan& plan) {
  // Victims are taken from the end, so none of them is in the plan yet.
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.pending() > 1) continue;
    while (i < running_.size() && static_cast<int>(sequence.blocks.size()) < blocks_for(sequence.length())) {
      if (pool_.available() > 0)
        sequence.blocks.push_back(pool_.allocate());
      else
        preempt_youngest(plan);
    }
    if (i < running_.size()) plan_rows(plan, sequence, 1);
  }
}

// All blocks of what is known of the sequence are taken at once, so a prompt once begun is computed to its end. Each
// running sequence keeps the promise of one more block: without it the newcomer would soon be put back again.
bool Scheduler::try_admit(Sequence& sequence) {
  int reusable = 0;
  // The last token is computed in any case: its logits are wanted.
  if (!sequence.prompt_logprobs_pending()) reusable = std::min(sequence.length() - 1, shareable_tokens(sequence));
  const Adapter* adapter = sequence.request.adapter.get();
  BlockPool::Prefix prefix = pool_.match(std::span(sequence.tokens).first(reusable),
                                         adapter ? BlockPool::before_adapted(adapter->number) : BlockPool::kNoContent);
  const auto matched = static_cast<int>(prefix.blocks.size());
  const auto revived = static_cast<int>(
      std::count_if(prefix.blocks.begin(), prefix.blocks.end(), [&](int32_t block) { return !pool_.held(block); }));
  const int missing = blocks_for(sequence.length()) - matched;
  if (pool_.available() - revived < missing + static_cast<int>(running_.size())) return false;

  for (const int32_t block : prefix.blocks) pool_.hold(block);
  sequence.blocks = std::move(prefix.blocks);
  for (int i = 0; i < missing; ++i) sequence.blocks.push_back(pool_.allocate());
  sequence.content = prefix.content;
  sequence.published = matched;
  sequence.computed = matched * kBlockTokens;
  if (!sequence.admitted) sequence.cached_tokens = sequence.computed;
  return true;
}

void Scheduler::plan_rows(StepPlan& plan, Sequence& sequence, int count) {
  plan.rows.push_back({&sequence, sequence.computed, count});
  const int full = std::min(sequence.computed + count, shareable_tokens(sequence)) / kBlockTokens;
  for (; sequence.published < full; ++sequence.published) {
    const auto tokens = std::span(sequence.tokens).subspan(sequence.published * kBlockTokens, kBlockTokens);
    sequence.content = pool_.publish(sequence.blocks[sequence.published], sequence.content, tokens);
  }
}

void Scheduler::preempt_youngest(StepPlan& plan) {
  Sequence& youngest = *running_.back();
  running_.pop_back();
  waiting_.push_front(&youngest);
  pool_.release(youngest.blocks);
  youngest.computed = 0;
  plan.preempted.push_back(&youngest);
}

// Leading tokens whose keys and values depend on nothing but the tokens up to them.
int Scheduler::shareable_tokens(const Sequence& sequence) const {
  return sequence.prompt_length > limits_.fixed_rope_length ? 0 : limits_.fixed_rope_length;
}

void Scheduler::commit(const StepPlan& plan) {
  for (const PlannedRows& rows : plan.rows) rows.sequence->computed += rows.count;
}

void Scheduler::remove(Sequence& sequence) {
  std::erase(running_, &sequence);
  std::erase(waiting_, &sequence);
  pool_.release(sequence.blocks);
}

void Scheduler::discard(Sequence& sequence) {
  for (const int32_t block : sequence.blocks) pool_.forget(block);
  remove(sequence);
}

}  // namespace hearth
