// Decides which rows the next step computes: one row of every sequence that decodes, then chunks of prompts while rows
// are left (continuous batching, Orca; chunked prefill, Sarathi). First come, first served: a prompt is begun only when
// every earlier one is computed to its end. When blocks run out the youngest sequence is put back and computed again
// later; its tokens stay as they are. No floats, no model, no time.
//
// A prompt's full blocks are findable from the moment they are planned, so that requests with the same prompt share
// them within one step. This is right because attention writes the keys and values of all of a batch's rows to a
// layer's blocks before any row reads them.
#pragma once

#include <deque>
#include <limits>
#include <vector>

#include "runtime/engine/sequence.h"

namespace hearth {

// Tokens [past, past + count) of a sequence.
struct PlannedRows {
  Sequence* sequence;
  int past, count;
  bool ends_sequence() const { return past + count == sequence->length(); }
};

struct StepPlan {
  std::vector<PlannedRows> rows;     // decode rows first
  std::vector<Sequence*> preempted;  // put back for want of blocks
  std::vector<Sequence*> admitted;   // in the batch for the first time
};

class Scheduler {
 public:
  struct Limits {
    int max_running = 64;
    int step_tokens = 512;
    int fixed_rope_length = std::numeric_limits<int>::max();  // ModelDims
  };
  // The pool must be able to hold any one sequence at its full length, or the sequence waits forever.
  Scheduler(BlockPool& pool, Limits limits);

  // Sequences are borrowed until remove().
  void add(Sequence& sequence);
  StepPlan plan();
  // The plan's rows are in the cache.
  void commit(const StepPlan& plan);
  // Ends a sequence in any state and frees its blocks.
  void remove(Sequence& sequence);
  // As remove(), and what the sequence computed is never found again.
  void discard(Sequence& sequence);

  const std::vector<Sequence*>& running() const { return running_; }
  const std::deque<Sequence*>& waiting() const { return waiting_; }

 private:
  void plan_decode(StepPlan& plan);
  bool try_admit(Sequence& sequence);
  void plan_rows(StepPlan& plan, Sequence& sequence, int count);
  void preempt_youngest(StepPlan& plan);
  int shareable_tokens(const Sequence& sequence) const;

  BlockPool& pool_;
  Limits limits_;
  std::vector<Sequence*> running_;  // oldest first
  std::deque<Sequence*> waiting_;   // next first
};

}  // namespace hearth
