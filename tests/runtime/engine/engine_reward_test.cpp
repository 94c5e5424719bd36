// Rewards of whole prompts: the same number in any company, and no token drawn.
#include "tests/runtime/engine/engine_support.h"

namespace hearth {
namespace {

using namespace test;

std::shared_ptr<ValueHead> head(uint64_t seed) {
  Random random(seed);
  Tensor weight({1, FakeModel::kVocab});
  for (size_t i = 0; i < weight.size(); ++i) weight.data()[i] = i < 60 ? random.normal() : 0;
  return std::make_shared<ValueHead>(
      ValueHead{{"weight", weight, {}}, {"bias", Tensor::from({1}, {static_cast<float>(seed)}), {}}});
}

GenerateRequest scored(std::vector<TokenId> prompt, const std::shared_ptr<ValueHead>& head) {
  GenerateRequest request = greedy(std::move(prompt), 0);
  request.value_head = head;
  return request;
}

// By the fake model's definition.
double expected_reward(const std::vector<TokenId>& prompt, const ValueHead& head) {
  const std::vector<float> hidden = FakeModel::logits_after(prompt);
  double sum = head.bias.value.data()[0];
  for (int i = 0; i < FakeModel::kVocab; ++i) sum += static_cast<double>(hidden[i]) * head.weight.value.data()[i];
  return sum;
}

TEST(EngineRewards, AreThoseOfTheLastTokenAndDrawNone) {
  const std::shared_ptr<ValueHead> one = head(1);
  for (const int step_tokens : {1, 7, 512}) {
    Engine engine(std::make_shared<FakeModel>(), {.step_tokens = step_tokens});
    for (const int length : {1, 16, 100}) {
      const std::vector<TokenId> prompt = prompt_of(length, length);
      const Answer answer = collect(*engine.submit(scored(prompt, one)));
      EXPECT_NEAR(answer.finished.reward, expected_reward(prompt, *one), 1e-4) << length;
      EXPECT_EQ(answer.finished.finish_reason, FinishReason::kLength);
      EXPECT_EQ(answer.kinds, std::vector{StreamEvent::Kind::kFinished});
      EXPECT_EQ(answer.finished.completion_tokens, 0);
      // Again, with a cached prefix.
      EXPECT_EQ(collect(*engine.submit(scored(prompt, one))).finished.reward, answer.finished.reward) << length;
    }
    EXPECT_EQ(engine.stats().generated_tokens, 0u);
  }
}

TEST(EngineRewards, ShareStepsWithAnswersAndOtherHeads) {
  const std::vector<std::shared_ptr<ValueHead>> heads = {head(1), head(2), nullptr};
  Gate gate;
  // So few blocks that sequences are put back and computed again.
  Engine engine(std::make_shared<FakeModel>(gate.on_forward()), {.cache_tokens = 160, .step_tokens = 40});
  const auto request = [&](int i) {
    return heads[i % 3] ? scored(prompt_of(3 + i * 7 % 90, i), heads[i % 3]) : varied_request(i);
  };
  std::vector<std::shared_ptr<Stream>> streams;
  streams.reserve(24);
  for (int i = 0; i < 24; ++i) streams.push_back(engine.submit(request(i)));
  gate.open();
  for (int i = 0; i < 24; ++i) {
    Engine alone(std::make_shared<FakeModel>(), {});
    const Answer expected = collect(*alone.submit(request(i))), answer = collect(*streams[i]);
    EXPECT_EQ(answer.finished.reward, expected.finished.reward) << i;
    EXPECT_EQ(answer.tokens, expected.tokens) << i;
  }
}

TEST(EngineRewards, OneThatIsNoNumberFailsAlone) {
  Engine engine(std::make_shared<FakeModel>(), {});
  const std::shared_ptr<ValueHead> one = head(1);
  const auto bad = engine.submit(scored({3, FakeModel::kNan}, one)), good = engine.submit(scored({3, 4}, one));
  const Answer failed = collect(*bad);
  EXPECT_EQ(failed.finished.finish_reason, FinishReason::kError);
  EXPECT_EQ(failed.finished.error, "the model's reward is not a number");
  EXPECT_EQ(collect(*good).finished.finish_reason, FinishReason::kLength);
}

TEST(EngineRewards, TokensAreNotDrawnBesides) {
  Engine engine(std::make_shared<FakeModel>(), {});
  GenerateRequest request = greedy({3, 4}, 1);
  request.value_head = head(1);
  EXPECT_THROW(engine.submit(request), Error);
}

}  // namespace
}  // namespace hearth
