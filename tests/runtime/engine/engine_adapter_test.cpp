// Requests through different adapters: one step for all of them, and never a cached block of another's.
#include <set>

#include "tests/runtime/engine/engine_support.h"
#include "tests/support/soon.h"

namespace hearth {
namespace {

using namespace test;
using Adapters = std::vector<std::shared_ptr<const Adapter>>;

std::shared_ptr<const Adapter> adapter(int number) {
  auto made = std::make_shared<Adapter>();
  made->name = std::to_string(number);
  return made;
}

GenerateRequest through(const std::shared_ptr<const Adapter>& adapter, GenerateRequest request) {
  request.adapter = adapter;
  return request;
}

int cached_tokens(Engine& engine, const std::shared_ptr<const Adapter>& adapter, const std::vector<TokenId>& prompt) {
  const Answer answer = collect(*engine.submit(through(adapter, greedy(prompt, 5))));
  EXPECT_EQ(answer.tokens, expected_tokens(prompt, 5, adapter.get()));
  return answer.finished.cached_tokens;
}

TEST(EngineAdapters, ShareStepsAndEqualEachAlone) {
  Gate gate;
  int most_adapters = 0;
  bool is_grouped = true;
  const auto look = [&, wait = gate.on_forward()](const Batch& batch) {
    wait(batch);
    std::vector<const Adapter*> runs;
    for (const Segment& segment : batch.segments)
      if (runs.empty() || runs.back() != segment.adapter) runs.push_back(segment.adapter);
    const std::set<const Adapter*> different(runs.begin(), runs.end());
    most_adapters = std::max(most_adapters, static_cast<int>(different.size()));
    is_grouped = is_grouped && different.size() == runs.size();
  };
  const Adapters adapters = {nullptr, adapter(1), adapter(2)};
  // So few blocks that sequences are put back and computed again.
  Engine engine(std::make_shared<FakeModel>(look), {.cache_tokens = 160, .step_tokens = 40});
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < 24; ++i) streams.push_back(engine.submit(through(adapters[i % 3], varied_request(i))));
  gate.open();
  for (int i = 0; i < 24; ++i) {
    Engine alone(std::make_shared<FakeModel>(), {});
    const Answer expected = collect(*alone.submit(through(adapters[i % 3], varied_request(i))));
    const Answer answer = collect(*streams[i]);
    EXPECT_EQ(answer.tokens, expected.tokens) << i;
    ASSERT_EQ(answer.prompt.size(), expected.prompt.size());
    for (size_t k = 0; k < answer.prompt.size(); ++k) EXPECT_EQ(answer.prompt[k].logprob, expected.prompt[k].logprob);
  }
  EXPECT_EQ(most_adapters, 3);
  EXPECT_TRUE(is_grouped) << "an adapter's rows lie side by side";
  EXPECT_GT(engine.stats().preempted, 0u);
}

TEST(EngineAdapters, ShareThePrefixesOfTheirOwnAlone) {
  Engine engine(std::make_shared<FakeModel>(), {});
  const std::vector<TokenId> prompt = prompt_of(100, 3);
  const auto first = adapter(1), second = adapter(2);
  for (const auto& one : {std::shared_ptr<const Adapter>(), first, second}) {
    EXPECT_EQ(cached_tokens(engine, one, prompt), 0);
    EXPECT_EQ(cached_tokens(engine, one, prompt), 96);
  }
  EXPECT_EQ(cached_tokens(engine, nullptr, prompt), 96);
  EXPECT_EQ(cached_tokens(engine, first, prompt), 96);
}

TEST(EngineAdapters, PromptsThatAreScoredAreNotFoundByOthers) {
  Engine engine(std::make_shared<FakeModel>(), {});
  GenerateRequest scored = through(adapter(1), greedy(prompt_of(100, 3), 0));
  scored.prompt_logprobs = true;
  const Answer answer = collect(*engine.submit(scored));
  EXPECT_EQ(answer.prompt.size(), 99u);
  EXPECT_EQ(cached_tokens(engine, nullptr, prompt_of(100, 3)), 0);
  EXPECT_EQ(cached_tokens(engine, scored.adapter, prompt_of(100, 3)), 96);
}

TEST(EngineAdapters, ANewOneAtTheAddressOfAnOldOneFindsNothing) {
  Engine engine(std::make_shared<FakeModel>(), {});
  std::set<const Adapter*> addresses;
  std::set<uint64_t> numbers;
  for (int i = 1; i <= 20; ++i) {
    const auto one = adapter(i);
    addresses.insert(one.get());
    numbers.insert(one->number);
    EXPECT_EQ(cached_tokens(engine, one, prompt_of(40, 5)), 0);
  }
  EXPECT_EQ(numbers.size(), 20u);
#if !defined(__SANITIZE_ADDRESS__)  // whose quarantine keeps addresses apart
  EXPECT_LT(addresses.size(), 20u);
#endif
}

TEST(EngineAdapters, LiveAsLongAsTheirRequests) {
  Gate gate;
  Engine engine(std::make_shared<FakeModel>(gate.on_forward()), {});
  auto detached = adapter(7);
  const std::weak_ptr<const Adapter> watched = detached;
  const std::vector<TokenId> expected = expected_tokens(prompt_of(20, 1), 10, detached.get());
  const auto stream = engine.submit(through(detached, greedy(prompt_of(20, 1), 10)));
  detached.reset();
  gate.wait_for_step(1);
  EXPECT_FALSE(watched.expired());
  gate.open();
  EXPECT_EQ(collect(*stream).tokens, expected);
  EXPECT_TRUE(soon([&] { return watched.expired(); }));
}

}  // namespace
}  // namespace hearth
