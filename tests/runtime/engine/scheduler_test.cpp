#include "runtime/engine/scheduler.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "runtime/base/random.h"

namespace hearth {
namespace {

std::unique_ptr<Sequence> sequence_of(std::vector<TokenId> prompt, int max_tokens = 8) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  return std::make_unique<Sequence>(std::move(request));
}

std::unique_ptr<Sequence> sequence_of(int tokens, TokenId fill) {
  return sequence_of(std::vector<TokenId>(tokens, fill));
}

// Commits the plan and draws token 1 wherever a sequence is computed to its end.
void run(Scheduler& scheduler, const StepPlan& plan) {
  scheduler.commit(plan);
  for (const PlannedRows& rows : plan.rows)
    if (rows.sequence->pending() == 0) rows.sequence->tokens.push_back(1);
}

std::vector<std::pair<int, int>> rows_of(const StepPlan& plan) {
  std::vector<std::pair<int, int>> rows;
  for (const PlannedRows& r : plan.rows) rows.emplace_back(r.past, r.count);
  return rows;
}

using Rows = std::vector<std::pair<int, int>>;

TEST(Scheduler, FillsAStepWithDecodeRowsThenPromptChunks) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {.max_running = 8, .step_tokens = 32});
  const auto a = sequence_of(10, 1), b = sequence_of(70, 2);
  scheduler.add(*a);
  scheduler.add(*b);
  StepPlan plan = scheduler.plan();
  EXPECT_EQ(rows_of(plan), (Rows{{0, 10}, {0, 22}}));
  run(scheduler, plan);
  plan = scheduler.plan();
  EXPECT_EQ(rows_of(plan), (Rows{{10, 1}, {22, 31}}));
  run(scheduler, plan);
  plan = scheduler.plan();
  EXPECT_EQ(rows_of(plan), (Rows{{11, 1}, {53, 17}}));
}

TEST(Scheduler, KeepsAtMostMaxRunning) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {.max_running = 2, .step_tokens = 64});
  const auto a = sequence_of(4, 1), b = sequence_of(4, 2), c = sequence_of(4, 3);
  for (const auto& s : {a.get(), b.get(), c.get()}) scheduler.add(*s);
  EXPECT_EQ(scheduler.plan().rows.size(), 2u);
  scheduler.remove(*a);
  const StepPlan plan = scheduler.plan();
  EXPECT_EQ(plan.admitted, (std::vector<Sequence*>{c.get()}));
}

TEST(Scheduler, ComputesAPromptThatArrivesTwiceOnce) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {.max_running = 8, .step_tokens = 64});
  const auto a = sequence_of(100, 7), b = sequence_of(100, 7);
  scheduler.add(*a);
  scheduler.add(*b);
  StepPlan plan = scheduler.plan();
  EXPECT_EQ(rows_of(plan), (Rows{{0, 64}}));
  run(scheduler, plan);
  plan = scheduler.plan();
  EXPECT_EQ(rows_of(plan), (Rows{{64, 36}, {96, 4}})) << "six full blocks are shared, in the step that fills them";
  EXPECT_EQ(b->cached_tokens, 96);
  EXPECT_TRUE(std::equal(a->blocks.begin(), a->blocks.begin() + 6, b->blocks.begin()));
  EXPECT_NE(a->blocks[6], b->blocks[6]);
}

TEST(Scheduler, ComputesTheLastTokenOfACachedPrompt) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(32, 7), b = sequence_of(32, 7);
  scheduler.add(*a);
  run(scheduler, scheduler.plan());
  scheduler.remove(*a);
  scheduler.add(*b);
  EXPECT_EQ(rows_of(scheduler.plan()), (Rows{{16, 16}}));
}

TEST(Scheduler, SharesAnswersToo) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(30, 7);
  scheduler.add(*a);
  for (int i = 0; i < 4; ++i) run(scheduler, scheduler.plan());
  const auto b = sequence_of(a->tokens);
  scheduler.remove(*a);
  scheduler.add(*b);
  scheduler.plan();
  EXPECT_EQ(b->cached_tokens, 32);
}

TEST(Scheduler, SharesNothingOfSequencesPastTheFixedRopeLength) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {.fixed_rope_length = 40});
  const auto is_long = sequence_of(41, 7), again = sequence_of(41, 7), is_short = sequence_of(38, 7);
  scheduler.add(*is_long);
  run(scheduler, scheduler.plan());
  scheduler.add(*again);
  scheduler.add(*is_short);
  scheduler.plan();
  EXPECT_EQ(again->cached_tokens, 0);
  EXPECT_EQ(is_short->cached_tokens, 0);
}

TEST(Scheduler, SharesAGrowingSequenceUpToTheFixedRopeLength) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {.fixed_rope_length = 40});
  const auto a = sequence_of(30, 7);
  scheduler.add(*a);
  for (int i = 0; i < 30; ++i) run(scheduler, scheduler.plan());
  ASSERT_GT(a->computed, 48);
  EXPECT_EQ(pool.match(a->tokens).blocks.size(), 2u) << "the third block ends at 48";
}

TEST(Scheduler, ReadsNoCachedPrefixWhilePromptLogprobsAreWanted) {
  BlockPool pool(64);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(40, 7), b = sequence_of(40, 7);
  b->request.prompt_logprobs = true;
  scheduler.add(*a);
  scheduler.add(*b);
  EXPECT_EQ(rows_of(scheduler.plan()), (Rows{{0, 40}, {0, 40}}));
}

TEST(Scheduler, PutsTheYoungestBackWhenBlocksRunOut) {
  BlockPool pool(5);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(31, 1), b = sequence_of(31, 2);
  scheduler.add(*a);
  scheduler.add(*b);
  run(scheduler, scheduler.plan());
  ASSERT_EQ(scheduler.running().size(), 2u);
  run(scheduler, scheduler.plan());  // both reach 32 of 32
  const StepPlan plan = scheduler.plan();
  EXPECT_EQ(plan.preempted, (std::vector<Sequence*>{b.get()}));
  EXPECT_EQ(rows_of(plan), (Rows{{32, 1}}));
  EXPECT_EQ(scheduler.waiting().front(), b.get());
  EXPECT_EQ(b->length(), 33) << "what was drawn stays";
  EXPECT_TRUE(b->blocks.empty());
}

TEST(Scheduler, AdmitsInTheOrderOfArrival) {
  BlockPool pool(4);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(40, 1), big = sequence_of(60, 2), small = sequence_of(4, 3);
  for (const auto& s : {a.get(), big.get(), small.get()}) scheduler.add(*s);
  EXPECT_EQ(scheduler.plan().rows.size(), 1u) << "the small one does not overtake";
  scheduler.remove(*a);
  EXPECT_EQ(scheduler.plan().rows.front().sequence, big.get());
}

TEST(Scheduler, RemovesInEveryState) {
  BlockPool pool(16);
  Scheduler scheduler(pool, {.max_running = 2, .step_tokens = 20});
  const auto decoding = sequence_of(4, 1), mid_prompt = sequence_of(60, 2), queued = sequence_of(4, 3);
  for (const auto& s : {decoding.get(), mid_prompt.get(), queued.get()}) scheduler.add(*s);
  run(scheduler, scheduler.plan());
  for (const auto& s : {decoding.get(), mid_prompt.get(), queued.get()}) scheduler.remove(*s);
  EXPECT_EQ(pool.available(), 16);
  EXPECT_TRUE(scheduler.plan().rows.empty());
}

TEST(Scheduler, NeverFindsWhatWasDiscarded) {
  BlockPool pool(16);
  Scheduler scheduler(pool, {});
  const auto a = sequence_of(40, 1);
  scheduler.add(*a);
  scheduler.plan();
  const std::vector<TokenId> tokens = a->tokens;
  scheduler.discard(*a);
  EXPECT_TRUE(pool.match(tokens).blocks.empty());
  EXPECT_EQ(pool.available(), 16);
}

// Random arrivals, cancellations and ends on a small pool. `Cache` is the naive model: the token that each place of
// each block was written for, with all tokens before it. Every planned row must find its own past in its blocks.
class SchedulerWalk {
 public:
  explicit SchedulerWalk(uint64_t seed) : random_(seed), pool_(kBlocks), scheduler_(pool_, {6, 40, kFixedRopeLength}) {}

  void step() {
    if (random_.below(3) == 0 && sequences_.size() < 12) add();
    if (random_.below(20) == 0 && !sequences_.empty()) end(sequences_[random_.below(sequences_.size())].get());
    const StepPlan plan = scheduler_.plan();
    check(plan);
    write_then_read(plan);
    if (random_.below(50) == 0) {
      for (const PlannedRows& rows : plan.rows) end(rows.sequence, /*spoiled=*/true);
      return;
    }
    scheduler_.commit(plan);
    for (const PlannedRows& rows : plan.rows) draw(*rows.sequence);
    preempted_ += plan.preempted.size();
  }
  void finish() {
    while (!sequences_.empty()) end(sequences_.back().get());
    EXPECT_EQ(pool_.available(), kBlocks);
  }
  size_t preempted_ = 0, reused_ = 0, ended_ = 0;

 private:
  static constexpr int kBlocks = 14, kFixedRopeLength = 90, kLongest = kBlocks * kBlockTokens;
  using Place = std::pair<int32_t, int>;

  void add() {
    // Few ids and lengths, so that prefixes repeat.
    std::vector<TokenId> prompt(1 + random_.below(120), static_cast<TokenId>(random_.below(2)));
    if (random_.below(2)) prompt.back() = 5;
    sequences_.push_back(sequence_of(prompt, 1 + static_cast<int>(random_.below(100))));
    sequences_.back()->request.prompt_logprobs = random_.below(8) == 0;
    scheduler_.add(*sequences_.back());
  }

  void end(Sequence* sequence, bool spoiled = false) {
    spoiled ? scheduler_.discard(*sequence) : scheduler_.remove(*sequence);
    std::erase_if(sequences_, [&](const auto& s) { return s.get() == sequence; });
    ++ended_;
  }

  void draw(Sequence& sequence) {
    if (sequence.pending() > 0) return;
    sequence.prompt_delivered = true;
    sequence.tokens.push_back(static_cast<TokenId>(random_.below(2)));
    if (sequence.drawn() == sequence.request.max_tokens || sequence.length() == kLongest) end(&sequence);
  }

  void check(const StepPlan& plan) {
    int rows = 0;
    std::set<const Sequence*> seen;
    for (const PlannedRows& r : plan.rows) {
      rows += r.count;
      ASSERT_TRUE(seen.insert(r.sequence).second) << "a sequence is planned once";
      ASSERT_GE(r.count, 1);
      ASSERT_EQ(r.past, r.sequence->computed);
      ASSERT_LE(r.past + r.count, r.sequence->length());
      ASSERT_GE(static_cast<int>(r.sequence->blocks.size()) * kBlockTokens, r.past + r.count);
    }
    ASSERT_LE(rows, 40);
    ASSERT_EQ(plan.rows.empty(), sequences_.empty()) << "a step computes something while there is something";
    for (const Sequence* s : scheduler_.running())
      if (s->pending() == 1) {
        ASSERT_TRUE(seen.contains(s)) << "every decode row is in every step";
      }
    for (const Sequence* s : plan.admitted) reused_ += s->cached_tokens;
    ASSERT_EQ(scheduler_.running().size() + scheduler_.waiting().size(), sequences_.size());
    std::set<int32_t> held;
    for (const auto& s : sequences_) held.insert(s->blocks.begin(), s->blocks.end());
    ASSERT_EQ(kBlocks - pool_.available(), static_cast<int>(held.size()));
  }

  // As attention does: all rows of the step are written before any is read.
  void write_then_read(const StepPlan& plan) {
    const auto history = [](const Sequence& s, int i) {
      std::vector<TokenId> h(s.tokens.begin(), s.tokens.begin() + i + 1);
      // Past the fixed length a key depends on the sequence's length too.
      if (s.prompt_length > kFixedRopeLength) h.push_back(-s.prompt_length);
      return h;
    };
    const auto place = [](const Sequence& s, int i) { return Place{s.blocks[i / kBlockTokens], i % kBlockTokens}; };
    for (const PlannedRows& r : plan.rows)
      for (int i = r.past; i < r.past + r.count; ++i) cache_[place(*r.sequence, i)] = history(*r.sequence, i);
    for (const PlannedRows& r : plan.rows)
      for (int i = 0; i < r.past + r.count; ++i)
        ASSERT_EQ(cache_[place(*r.sequence, i)], history(*r.sequence, i)) << "token " << i;
  }

  Random random_;
  BlockPool pool_;
  Scheduler scheduler_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::map<Place, std::vector<TokenId>> cache_;
};

TEST(Scheduler, EveryRowFindsItsPastOverRandomOperations) {
  size_t preempted = 0, reused = 0, ended = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SchedulerWalk walk(seed);
    for (int step = 0; step < 1500; ++step) {
      walk.step();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed << ", step " << step;
    }
    walk.finish();
    preempted += walk.preempted_;
    reused += walk.reused_;
    ended += walk.ended_;
  }
  EXPECT_GT(preempted, 20u);
  EXPECT_GT(reused, 1000u);
  EXPECT_GT(ended, 200u);
}

}  // namespace
}  // namespace hearth
