// Requests that do not end by themselves: cancellation, refusal, failure, drain; and many threads at once.
#include <atomic>
#include <thread>

#include "tests/runtime/engine/engine_support.h"

namespace hearth {
namespace {

using namespace test;

// An engine whose steps the test releases.
class GatedEngine : public testing::Test {
 protected:
  ~GatedEngine() override { gate.open(); }
  Engine& start(EngineOptions options) {
    engine = std::make_unique<Engine>(std::make_shared<FakeModel>(gate.on_forward()), options);
    return *engine;
  }
  void expect_cancelled(Stream& stream) { EXPECT_EQ(collect(stream).finished.finish_reason, FinishReason::kCancelled); }
  Gate gate;
  std::unique_ptr<Engine> engine;
};

TEST_F(GatedEngine, DropsADecodingSequenceAtTheNextStep) {
  start({});
  const auto cancelled = engine->submit(greedy(prompt_of(40, 1), 2000));
  gate.wait_for_step(1);
  const auto other = engine->submit(greedy(prompt_of(20, 2), 2000));
  gate.pass_one();
  gate.wait_for_step(2);
  cancelled->cancel();
  gate.pass_one();
  gate.wait_for_step(3);
  expect_cancelled(*cancelled);
  EXPECT_EQ(engine->stats().running, 1);
  EXPECT_EQ(engine->stats().blocks_used, 2) << "of the other one: 21 tokens";
  EXPECT_EQ(engine->stats().cancelled, 1u);
  other->cancel();
}

TEST_F(GatedEngine, DropsAPromptBetweenItsChunks) {
  start({.step_tokens = 32});
  const auto stream = engine->submit(greedy(prompt_of(1000, 1), 10));
  gate.wait_for_step(1);
  gate.pass_one();
  gate.wait_for_step(2);
  stream->cancel();
  gate.pass_one();
  expect_cancelled(*stream);
  EXPECT_EQ(engine->stats().blocks_used, 0);
  EXPECT_EQ(engine->stats().steps, 2u);
}

TEST_F(GatedEngine, DropsAQueuedRequest) {
  start({.max_running = 1});
  const auto running = engine->submit(greedy(prompt_of(20, 1), 2000));
  gate.wait_for_step(1);
  const auto queued = engine->submit(greedy(prompt_of(20, 2), 10));
  queued->cancel();
  EXPECT_EQ(engine->stats().queued, 1);
  gate.pass_one();
  expect_cancelled(*queued);
  gate.wait_for_step(2);
  EXPECT_EQ(engine->stats().queued, 0);
  EXPECT_EQ(engine->stats().running, 1);
}

TEST_F(GatedEngine, DropsASequenceWhoseReaderIsGone) {
  start({});
  engine->submit(greedy(prompt_of(20, 1), 2000));
  gate.open();
  EXPECT_TRUE(engine->wait_idle(kPatience));
  EXPECT_EQ(engine->stats().cancelled, 1u);
}

TEST_F(GatedEngine, RefusesWhatTheQueueCannotHold) {
  start({.max_running = 1, .max_queued = 2});
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(engine->submit(greedy(prompt_of(5, i), 3)));
  EXPECT_THROW(engine->submit(greedy(prompt_of(5, 3), 3)), QueueFull);
  gate.open();
  for (const auto& stream : streams) EXPECT_EQ(collect(*stream).tokens.size(), 3u);
  EXPECT_EQ(collect(*engine->submit(greedy(prompt_of(5, 3), 3))).tokens.size(), 3u) << "there is room again";
}

TEST_F(GatedEngine, RunsWithoutAQueue) {
  start({.max_running = 1, .max_queued = 0});
  const auto stream = engine->submit(greedy(prompt_of(5, 1), 3));
  EXPECT_THROW(engine->submit(greedy(prompt_of(5, 2), 3)), QueueFull);
  gate.open();
  EXPECT_EQ(collect(*stream).tokens.size(), 3u);
}

TEST_F(GatedEngine, DrainsWhatItHasAndTakesNoMore) {
  start({});
  const auto stream = engine->submit(greedy(prompt_of(5, 1), 3));
  gate.wait_for_step(1);
  engine->drain();
  try {
    engine->submit(greedy(prompt_of(5, 1), 3));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  }
  EXPECT_FALSE(engine->wait_idle(std::chrono::milliseconds(1)));
  gate.open();
  EXPECT_TRUE(engine->wait_idle(kPatience));
  EXPECT_EQ(collect(*stream).tokens.size(), 3u);
}

TEST_F(GatedEngine, EndingCancelsWhatIsLeft) {
  start({.max_running = 1});
  const auto running = engine->submit(greedy(prompt_of(20, 1), 4000));
  const auto queued = engine->submit(greedy(prompt_of(20, 2), 4000));
  gate.wait_for_step(1);
  gate.open();
  engine.reset();
  expect_cancelled(*running);
  expect_cancelled(*queued);
}

TEST_F(GatedEngine, AFailedStepFailsItsRequestsAndNoOthers) {
  start({.max_running = 2});
  const auto neighbour = engine->submit(greedy(prompt_of(40, 1), 100));
  gate.wait_for_step(1);
  const auto bad = engine->submit(greedy({1, FakeModel::kThrows, 2}, 10));
  const auto next = engine->submit(greedy(prompt_of(40, 1), 10));
  gate.open();
  for (const auto& stream : {neighbour, bad}) {
    const Answer answer = collect(*stream);
    EXPECT_EQ(answer.finished.finish_reason, FinishReason::kError);
    EXPECT_EQ(answer.finished.error, "the model cannot bear token 63");
  }
  const Answer answer = collect(*next);
  EXPECT_EQ(answer.tokens, expected_tokens(prompt_of(40, 1), 10));
  EXPECT_EQ(answer.finished.cached_tokens, 0) << "what a failed step computed is not reused";
  EXPECT_TRUE(engine->wait_idle(kPatience));
  EXPECT_EQ(engine->stats().failed, 2u);
  EXPECT_EQ(engine->stats().blocks_used, 0);
}

TEST_F(GatedEngine, LogitsThatAreNotNumbersFailTheirSequenceAlone) {
  start({});
  const auto first = engine->submit(greedy({1}, 1));
  gate.wait_for_step(1);
  const auto good = engine->submit(greedy(prompt_of(40, 1), 20));
  const auto bad = engine->submit(greedy({1, 2, FakeModel::kNan}, 10));
  gate.open();
  EXPECT_EQ(collect(*bad).finished.finish_reason, FinishReason::kError);
  EXPECT_EQ(collect(*good).tokens, expected_tokens(prompt_of(40, 1), 20));
}

// A client of each kind: reads all, cancels after a while, leaves without a word, sends what fails.
void run_client(Engine& engine, int client, std::atomic<int>& finished) {
  for (int i = 0; i < 12; ++i) {
    const int number = client * 100 + i;
    GenerateRequest request = varied_request(number);
    if (number % 11 == 5) request.prompt.push_back(FakeModel::kNan);
    std::shared_ptr<Stream> stream;
    try {
      stream = engine.submit(request);
    } catch (const QueueFull&) {
      continue;
    }
    if (number % 5 == 4) continue;  // leaves
    if (number % 5 == 3) {
      stream->next(std::chrono::milliseconds(number % 7));
      stream->cancel();
    }
    collect(*stream);
    ++finished;
    engine.stats();
  }
}

TEST(EngineStress, ManyThreadsLeaveNothingBehind) {
  Engine engine(std::make_shared<FakeModel>(),
                {.cache_tokens = 320, .max_running = 5, .max_queued = 4, .step_tokens = 50});
  std::atomic<int> finished = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client)
    clients.emplace_back([&, client] { run_client(engine, client, finished); });
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(engine.wait_idle(kPatience));
  EXPECT_GT(finished, 8);
  const EngineStats stats = engine.stats();
  EXPECT_EQ(stats.blocks_used + stats.running + stats.queued, 0);
  EXPECT_EQ(collect(*engine.submit(greedy(prompt_of(40, 1), 20))).tokens, expected_tokens(prompt_of(40, 1), 20));
}

}  // namespace
}  // namespace hearth
