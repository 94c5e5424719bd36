// Adapters beside the model and worked into it, served by the engine on a tiny model.
#include "models/adapters/served_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/adapters/merge.h"
#include "runtime/engine/engine.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const nlohmann::json& adapters() {
  static const nlohmann::json kAdapters = nlohmann::json::parse(read_file(test::kPeftAdapters / "adapters.json"));
  return kAdapters;
}

std::shared_ptr<const Adapter> served(const std::string& name, ModelTensors tensors) {
  return served_adapter(read_adapter(test::kPeftAdapters / name, tensors), tensors);
}

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;  // of the prompt, then of the tokens
  bool operator==(const Answer&) const = default;
};

Answer collect(Stream& stream) {
  Answer answer;
  for (;;) {
    const std::optional<StreamEvent> event = stream.next(std::chrono::seconds(60));
    if (!event || event->kind == StreamEvent::Kind::kFinished) return answer;
    for (const TokenOutput& one : event->prompt) answer.logprobs.push_back(one.logprob);
    if (event->kind != StreamEvent::Kind::kToken) continue;
    answer.tokens.push_back(event->token.id);
    answer.logprobs.push_back(event->token.logprob);
  }
}

GenerateRequest request(std::shared_ptr<const Adapter> adapter, int max_tokens) {
  GenerateRequest request;
  request.prompt = test::tiny_models()["prompts"]["short"].get<std::vector<TokenId>>();
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.top_logprobs = 0;
  request.prompt_logprobs = true;
  request.adapter = std::move(adapter);
  return request;
}

constexpr EngineOptions kExact = {.cache_tokens = 1024, .kv_format = KvFormat::kF32};

// DoRA, which scales rows, beside plain ones and none.
TEST(ServedAdapter, SharesStepsAndGivesEachRequestItsOwnBits) {
  const auto model = test::load_tiny("none");
  const ModelTensors tensors = model->tensors();
  std::vector<std::shared_ptr<const Adapter>> all = {nullptr};
  for (const char* name : {"plain", "dora", "pissa", "rslora"}) all.push_back(served(name, tensors));
  std::vector<Answer> alone;
  for (const auto& adapter : all) {
    Engine engine(model, kExact);
    alone.push_back(collect(*engine.submit(request(adapter, 20))));
    EXPECT_EQ(alone.back().tokens.size(), 20u);
  }
  for (size_t i = 1; i < all.size(); ++i) EXPECT_NE(alone[i].logprobs, alone[0].logprobs) << i;
  Engine engine(model, kExact);
  std::vector<std::shared_ptr<Stream>> streams;
  for (int round = 0; round < 2; ++round)
    for (const auto& adapter : all) streams.push_back(engine.submit(request(adapter, 20)));
  for (size_t i = 0; i < streams.size(); ++i) EXPECT_EQ(collect(*streams[i]), alone[i % all.size()]) << i;
  EXPECT_LT(engine.stats().steps, 60u) << "ten answers of 20 tokens";
}

// Beside the model, or worked into it where there is no other way, the answers are peft's.
TEST(ServedAdapter, SaysWhatPeftSays) {
  for (const auto& [name, expected] : adapters().items()) {
    const auto model = test::load_tiny(expected["base"]);
    const fs::path directory = test::kPeftAdapters / name;
    const auto adapter = apply_adapters({&directory, 1}, model->tensors(), ComputeDtype::kFloat32);
    EXPECT_EQ(adapter == nullptr, name == "saved") << name;
    Engine engine(model, kExact);
    const Answer found = collect(*engine.submit(request(adapter, 0)));
    ASSERT_EQ(found.logprobs.size(), expected["logprobs"].size());
    for (size_t i = 0; i < found.logprobs.size(); ++i)
      EXPECT_NEAR(found.logprobs[i], expected["logprobs"][i].get<double>(), 1e-4) << name << " at " << i;
  }
}

TEST(ServedAdapter, HasDorasLengthsOnce) {
  const auto model = test::load_tiny("none");
  const auto adapter = served("dora", model->tensors());
  int parts = 0;
  for (const std::unique_ptr<LowRank>& part : adapter->low_ranks) {
    if (!part) continue;
    EXPECT_TRUE(part->norms.defined());
    ++parts;
  }
  EXPECT_EQ(parts, 4);
}

TEST(ServedAdapter, SeveralAreMergedInOrder) {
  const std::vector<fs::path> both = {test::kPeftAdapters / "dora", test::kPeftAdapters / "plain"};
  const std::vector<fs::path> turned = {both[1], both[0]};
  const auto logprobs = [](std::span<const fs::path> directories) {
    const auto model = test::load_tiny("none");
    EXPECT_EQ(apply_adapters(directories, model->tensors(), ComputeDtype::kFloat32), nullptr);
    Engine engine(model, kExact);
    return collect(*engine.submit(request(nullptr, 0))).logprobs;
  };
  // The second beside a model that the first was merged into.
  const auto model = test::load_tiny("none");
  merge_into(model->tensors(), *served("dora", model->tensors()), ComputeDtype::kFloat32);
  Engine engine(model, kExact);
  const std::vector<float> expected = collect(*engine.submit(request(served("plain", model->tensors()), 0))).logprobs;
  const std::vector<float> found = logprobs(both), other = logprobs(turned);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
  float difference = 0;
  for (size_t i = 0; i < found.size(); ++i) difference = std::max(difference, std::abs(found[i] - other[i]));
  EXPECT_GT(difference, 1e-3f) << "the order counts: DoRA brings rows to lengths";
}

TEST(ServedAdapter, OneThatChangesTheModelIsNotServedBesideIt) {
  const auto model = test::load_tiny("gpt2");
  EXPECT_EQ(test::refusal([&] { served("saved", model->tensors()); }),
            "adapter 'saved' has modules_to_save (ln_1, wpe), which change the model itself: serve it as the model's "
            "only adapter");
  EXPECT_THAT(test::refusal([&] { served("plain", model->tensors()); }), HasSubstr("adapter does not fit the model"));
}

}  // namespace
}  // namespace hearth
