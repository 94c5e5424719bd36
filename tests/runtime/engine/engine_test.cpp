// What a client of the engine sees: tokens, events, refusals.
#include "runtime/engine/engine.h"

#include <cmath>

#include "tests/runtime/engine/engine_support.h"

namespace hearth {
namespace {

using namespace test;
using Kind = StreamEvent::Kind;

std::shared_ptr<FakeModel> model() { return std::make_shared<FakeModel>(); }

TEST(Engine, DrawsTheModelsTokens) {
  Engine engine(model(), {});
  const Answer answer = collect(*engine.submit(greedy(prompt_of(50, 1), 40)));
  EXPECT_EQ(answer.tokens, expected_tokens(prompt_of(50, 1), 40));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kLength);
  EXPECT_EQ(answer.finished.prompt_tokens, 50);
  EXPECT_EQ(answer.finished.completion_tokens, 40);
  EXPECT_EQ(answer.finished.cached_tokens, 0);
}

TEST(Engine, ChunksOfAPromptGiveTheSameTokens) {
  for (const int step_tokens : {1, 7, 16, 33}) {
    Engine engine(model(), {.step_tokens = step_tokens});
    EXPECT_EQ(collect(*engine.submit(greedy(prompt_of(100, 2), 20))).tokens, expected_tokens(prompt_of(100, 2), 20));
  }
}

void expect_same(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  ASSERT_EQ(a.prompt.size(), b.prompt.size());
  for (size_t i = 0; i < a.prompt.size(); ++i) EXPECT_EQ(a.prompt[i].logprob, b.prompt[i].logprob);
  for (size_t i = 0; i < a.outputs.size(); ++i) EXPECT_EQ(a.outputs[i].logprob, b.outputs[i].logprob);
}

std::vector<Answer> all_at_once(Engine& engine, int count) {
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < count; ++i) streams.push_back(engine.submit(varied_request(i)));
  std::vector<Answer> answers;
  for (const auto& stream : streams) answers.push_back(collect(*stream));
  return answers;
}

TEST(Engine, SixteenAtOnceEqualEachAlone) {
  Engine together(model(), {.step_tokens = 48});
  const std::vector<Answer> answers = all_at_once(together, 16);
  for (int i = 0; i < 16; ++i) {
    SCOPED_TRACE(i);
    Engine alone(model(), {});
    expect_same(answers[i], collect(*alone.submit(varied_request(i))));
  }
}

TEST(Engine, PreemptionDoesNotChangeAnAnswer) {
  Engine small(model(), {.cache_tokens = 160, .step_tokens = 40}), large(model(), {});
  const std::vector<Answer> answers = all_at_once(small, 16);
  for (int i = 0; i < 16; ++i) {
    SCOPED_TRACE(i);
    expect_same(answers[i], collect(*large.submit(varied_request(i))));
  }
  EXPECT_GT(small.stats().preempted, 0u);
  EXPECT_EQ(small.stats().blocks_used, 0);
}

TEST(Engine, ReusesTheBlocksOfAnEarlierPrompt) {
  Engine engine(model(), {});
  const std::vector<TokenId> prompt = prompt_of(100, 3);
  collect(*engine.submit(greedy(prompt, 5)));
  const Answer again = collect(*engine.submit(greedy(prompt, 5)));
  EXPECT_EQ(again.finished.cached_tokens, 96);
  EXPECT_EQ(again.tokens, expected_tokens(prompt, 5));
  std::vector<TokenId> longer = prompt;
  longer.insert(longer.end(), again.tokens.begin(), again.tokens.end());
  const Answer continued = collect(*engine.submit(greedy(longer, 5)));
  EXPECT_EQ(continued.finished.cached_tokens, 96);
  EXPECT_EQ(continued.tokens, expected_tokens(longer, 5));
  EXPECT_EQ(engine.stats().cached_tokens, 192u);
  EXPECT_EQ(engine.stats().prompt_tokens, 100u + 4 + 9);
}

TEST(Engine, ComputesAPromptAskedForSeveralTimesAtOnceOnce) {
  Gate gate;
  Engine engine(std::make_shared<FakeModel>(gate.on_forward()), {.step_tokens = 64});
  const auto first = engine.submit(greedy(prompt_of(8, 9), 1));
  gate.wait_for_step(1);  // the others arrive while it runs
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(engine.submit(greedy(prompt_of(200, 4), 8)));
  gate.open();
  for (const auto& stream : streams) EXPECT_EQ(collect(*stream).tokens, expected_tokens(prompt_of(200, 4), 8));
  EXPECT_EQ(engine.stats().prompt_tokens, 8u + 200 + 3 * 8);
}

TEST(Engine, StopTokensEndTheAnswerAndAreNotDelivered) {
  Engine engine(model(), {});
  const std::vector<TokenId> tokens = expected_tokens(prompt_of(10, 5), 20);
  GenerateRequest request = greedy(prompt_of(10, 5), 20);
  request.stop_token_ids = {tokens[6], 1000};
  const auto end = std::ranges::find(tokens, tokens[6]);
  const Answer answer = collect(*engine.submit(request));
  EXPECT_EQ(answer.tokens, std::vector<TokenId>(tokens.begin(), end));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kStop);
  EXPECT_EQ(answer.finished.completion_tokens, end - tokens.begin() + 1);
}

TEST(Engine, StopTokensAreNotDrawnBeforeMinTokens) {
  Engine engine(model(), {});
  GenerateRequest request = greedy(prompt_of(10, 5), 20);
  for (TokenId id = 1; id < FakeModel::kVocab; ++id) request.stop_token_ids.push_back(id);
  request.min_tokens = 6;
  const Answer answer = collect(*engine.submit(request));
  EXPECT_EQ(answer.tokens, std::vector<TokenId>(6, 0));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kStop);
}

TEST(Engine, LogprobsAreTheModelsOwn) {
  Engine engine(model(), {});
  GenerateRequest request = greedy(prompt_of(10, 6), 3);
  request.sampling.temperature = 2;
  request.sampling.logit_bias = {{7, 50.0f}};
  request.top_logprobs = FakeModel::kVocab;
  const Answer answer = collect(*engine.submit(request));
  std::vector<TokenId> tokens = prompt_of(10, 6);
  for (const TokenOutput& output : answer.outputs) {
    EXPECT_EQ(output.id, 7);
    const std::vector<float> x = FakeModel::logits_after(tokens);
    double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>(v));
    EXPECT_NEAR(output.logprob, x[7] - std::log(sum), 1e-5);
    const auto own = std::ranges::find(output.top, 7, &TokenLogprob::id);
    ASSERT_NE(own, output.top.end());
    EXPECT_EQ(own->logprob, output.logprob);
    tokens.push_back(output.id);
  }
}

void expect_prompt_logprobs(const Answer& answer, const std::vector<TokenId>& prompt) {
  ASSERT_EQ(answer.prompt.size(), prompt.size() - 1);
  for (size_t i = 1; i < prompt.size(); ++i) {
    const std::vector<float> x = FakeModel::logits_after(std::span(prompt).first(i));
    double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>(v));
    EXPECT_EQ(answer.prompt[i - 1].id, prompt[i]);
    EXPECT_NEAR(answer.prompt[i - 1].logprob, x[prompt[i]] - std::log(sum), 1e-5);
  }
}

TEST(Engine, ScoresAPromptBeforeTheFirstToken) {
  Engine engine(model(), {.step_tokens = 30});
  GenerateRequest request = greedy(prompt_of(100, 7), 3);
  request.prompt_logprobs = true;
  request.top_logprobs = 2;
  for (int round = 0; round < 2; ++round) {
    const Answer answer = collect(*engine.submit(request));
    EXPECT_EQ(answer.kinds, (std::vector{Kind::kPrompt, Kind::kToken, Kind::kToken, Kind::kToken, Kind::kFinished}));
    EXPECT_EQ(answer.finished.cached_tokens, 0);
    expect_prompt_logprobs(answer, prompt_of(100, 7));
    EXPECT_EQ(answer.prompt[50].top.size(), 2u);
  }
}

TEST(Engine, OnlyScoresAPromptWhenNoTokensAreAskedFor) {
  Engine engine(model(), {});
  for (const int length : {1, 2, 77}) {
    GenerateRequest request = greedy(prompt_of(length, 7), 0);
    request.prompt_logprobs = true;
    const Answer answer = collect(*engine.submit(request));
    EXPECT_EQ(answer.kinds, (std::vector{Kind::kPrompt, Kind::kFinished}));
    EXPECT_EQ(answer.finished.finish_reason, FinishReason::kLength);
    EXPECT_EQ(answer.finished.completion_tokens, 0);
    expect_prompt_logprobs(answer, prompt_of(length, 7));
  }
}

TEST(Engine, SequencesPastTheFixedRopeLengthShareNothing) {
  Engine engine(std::make_shared<FakeModel>(FakeModel::OnForward(), /*fixed_rope_length=*/64), {});
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(collect(*engine.submit(greedy(prompt_of(80, 8), 2))).finished.cached_tokens, 0);
}

TEST(Engine, TellsWhatDoesNotFitTheContext) {
  Engine engine(model(), {.cache_tokens = 100, .max_context = 90});
  EXPECT_EQ(engine.max_context(), 90);
  EXPECT_EQ(collect(*engine.submit(greedy(prompt_of(80, 1), 10))).tokens.size(), 10u);
  try {
    engine.submit(greedy(prompt_of(80, 1), 11));
    FAIL();
  } catch (const ContextOverflow& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResourceExhausted);
    EXPECT_EQ(error.limit, 90);
    EXPECT_EQ(error.prompt_tokens, 80);
    EXPECT_EQ(error.requested, 11);
  }
  EXPECT_THROW(engine.submit(greedy(prompt_of(80, 1), std::numeric_limits<int>::max())), ContextOverflow);
}

TEST(Engine, TheContextIsTheSmallerOfModelAndCache) {
  EXPECT_EQ(Engine(model(), {.cache_tokens = 100}).max_context(), 112) << "whole blocks";
  EXPECT_EQ(Engine(model(), {.cache_tokens = 8192}).max_context(), 4096);
  EXPECT_THROW(Engine(model(), {.cache_tokens = 100, .max_context = 113}), Error);
  EXPECT_THROW(Engine(model(), {.cache_tokens = 0}), Error);
  EXPECT_THROW(Engine(model(), {.step_tokens = 0}), Error);
}

TEST(Engine, RefusesRequestsThatCanNeverRun) {
  Engine engine(model(), {});
  const auto refused = [&](auto change) {
    GenerateRequest request = greedy({1, 2, 3}, 4);
    change(request);
    try {
      engine.submit(request);
    } catch (const Error& error) {
      return error.code() == ErrorCode::kInvalidArgument;
    }
    return false;
  };
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.prompt.clear(); }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.prompt[1] = -1; }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.prompt[1] = FakeModel::kVocab; }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.max_tokens = -1; }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.top_logprobs = -2; }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.sampling.top_p = 1.5f; }));
  EXPECT_TRUE(refused([](GenerateRequest& r) { r.sampling.logit_bias = {{FakeModel::kVocab, 1}}; }));
}

TEST(Engine, EventsCarryTheirTimes) {
  Engine engine(model(), {});
  const auto before = std::chrono::steady_clock::now();
  const Answer answer = collect(*engine.submit(greedy({1, 2, 3}, 2)));
  EXPECT_GE(answer.finished.time, before);
  EXPECT_LE(answer.finished.time, std::chrono::steady_clock::now());
  EXPECT_GE(answer.finished.queue_seconds, 0);
  EXPECT_LT(answer.finished.queue_seconds, 60);
}

}  // namespace
}  // namespace hearth
