// Decides which rows the next step holds; never sees a float. Continuous batching: every decoding sequence has its row
// in every step, and the rest of the step's rows goes to prompts, in chunks, oldest first. When blocks run out the
// youngest running sequence goes back to the front of the queue and is computed again later; its output does not
// change. A prompt whose next blocks another sequence is computing just now waits for them.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "runtime/engine/sequence.h"

namespace hearth {

struct SchedulerLimits {
  int max_running = 64;
  int step_tokens = 512;  // rows of a step; more only when more sequences decode
};

// Rows [sequence->computed, sequence->computed + rows) of a sequence; its blocks cover them.
struct PlannedRows {
  Sequence* sequence;
  int rows;
};

struct StepPlan {
  std::vector<PlannedRows> rows;
  int decode_rows = 0;  // of them; decoding sequences come first
  int preempted = 0;
};

class Scheduler {
 public:
  Scheduler(BlockPool& pool, SchedulerLimits limits) : pool_(pool), limits_(limits) {}

  void add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }
  StepPlan plan();
  // The planned rows are in the cache: publishes the blocks that became full.
  void computed(const StepPlan& plan);
  // Takes out, blocks freed, every sequence for which `done` holds.
  template <class Predicate>
  std::vector<std::unique_ptr<Sequence>> take_if(Predicate done);

  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }
  bool empty() const { return running_.empty() && waiting_.empty(); }

 private:
  bool cover(Sequence& sequence, int tokens);  // blocks for so many tokens, or none more
  void free_blocks(Sequence& sequence);
  bool make_room(Sequence& sequence, int tokens, StepPlan& plan);
  void plan_decode(StepPlan& plan);
  int plan_running_prompts(StepPlan& plan, int budget);
  void admit(StepPlan& plan, int budget);
  void share_prefix(Sequence& sequence);
  bool computed_elsewhere(const Sequence& sequence, int shareable) const;
  int shareable_blocks(const Sequence& sequence) const;

  BlockPool& pool_;
  SchedulerLimits limits_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in the order of admission
  std::deque<std::unique_ptr<Sequence>> waiting_;
};

template <class Predicate>
std::vector<std::unique_ptr<Sequence>> Scheduler::take_if(Predicate done) {
  std::vector<std::unique_ptr<Sequence>> taken;
  const auto sweep = [&](auto& sequences) {
    for (auto it = sequences.begin(); it != sequences.end();) {
      if (!done(**it)) {
        ++it;
        continue;
      }
      free_blocks(**it);
      taken.push_back(std::move(*it));
      it = sequences.erase(it);
    }
  };
  sweep(running_);
  sweep(waiting_);
  return taken;
}

}  // namespace hearth
