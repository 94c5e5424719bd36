// Tiny models against transformers (tests/golden/make_tiny_models.py, make_architectures.py), from Hugging Face
// directories and from GGUF, whole and in chunks.
#include "tests/models/tiny_models.h"

#include <cmath>

#include <gtest/gtest.h>

#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/tape.h"

namespace hearth {
namespace {

constexpr double kTolerance = 1e-4;

double largest_difference(const std::vector<float>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i)
    worst = std::max(worst, std::fabs(found[i] - expected[i]));
  return worst;
}

// Every prompt of a case, whole and in chunks that cross block borders.
void expect_reference(const LanguageModel& model, const nlohmann::json& one) {
  for (const auto& [prompt, expected] : one["logprobs"].items()) {
    const auto ids = test::tiny_models()["prompts"][prompt].get<std::vector<TokenId>>();
    const auto reference = expected.get<std::vector<double>>();
    EXPECT_LT(largest_difference(test::prompt_logprobs(model, ids), reference), kTolerance) << prompt;
    for (const int chunk : {1, 7, 16, 64})
      EXPECT_LT(largest_difference(test::chunked_logprobs(model, ids, chunk), reference), kTolerance)
          << prompt << " by " << chunk;
  }
  const auto prompt = test::tiny_models()["prompts"]["short"].get<std::vector<TokenId>>();
  const auto greedy = one["greedy"].get<std::vector<TokenId>>();
  for (const int chunk : {7, 64})
    EXPECT_EQ(test::continuation(model, prompt, chunk, static_cast<int>(greedy.size())), greedy) << "by " << chunk;
}

std::vector<float> values(const Tensor& x) { return {x.data(), x.data() + x.size()}; }

// What training sees is what serving sees.
void expect_same_when_recorded(const LanguageModel& model) {
  const auto ids = test::tiny_models()["prompts"]["long"].get<std::vector<TokenId>>();
  const Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
  const std::vector<float> plain = values(model.forward(batch));
  Tape tape;
  const Tape::Recording on(tape);
  EXPECT_EQ(values(model.forward(batch)), plain);
}

class TinyModel : public ::testing::TestWithParam<std::string> {
 protected:
  const nlohmann::json& one() const { return test::tiny_model(GetParam()); }
  test::TemporaryDirectory directory_;
};

std::vector<std::string> names(const std::function<bool(const nlohmann::json&)>& wanted) {
  std::vector<std::string> result;
  for (const nlohmann::json& one : test::tiny_models()["cases"])
    if (wanted(one)) result.push_back(one["name"]);
  return result;
}

class TinyModelDirectory : public TinyModel {};
TEST_P(TinyModelDirectory, MatchesTransformers) {
  test::make_directory(one(), directory_.path());
  const LoadedModel loaded = load_model(directory_.path(), {.compute_dtype = ComputeDtype::kFloat32});
  EXPECT_EQ(loaded.architecture, one()["architecture"].get<std::string>());
  expect_reference(*loaded.model, one());
  expect_same_when_recorded(*loaded.model);
}
INSTANTIATE_TEST_SUITE_P(Cases, TinyModelDirectory,
                         ::testing::ValuesIn(names([](const auto& one) { return one["weights"].is_string(); })),
                         [](const auto& test) { return test.param; });

class TinyModelGguf : public TinyModel {};
TEST_P(TinyModelGguf, MatchesTransformers) {
  expect_reference(
      *load_model(test::make_gguf(one(), directory_.path()), {.compute_dtype = ComputeDtype::kFloat32}).model, one());
}
INSTANTIATE_TEST_SUITE_P(Cases, TinyModelGguf,
                         ::testing::ValuesIn(names([](const auto& one) { return one["gguf"].is_string(); })),
                         [](const auto& test) { return test.param; });

class TinyModelBothFiles : public TinyModel {};
TEST_P(TinyModelBothFiles, GiveTheSameBits) {
  test::make_directory(one(), directory_.path());
  const LoadOptions options{.compute_dtype = ComputeDtype::kFloat32};
  const LoadedModel directory = load_model(directory_.path(), options);
  const LoadedModel gguf = load_model(test::make_gguf(one(), directory_.path()), options);
  const int positions = directory.model->dims().max_positions;
  EXPECT_EQ(gguf.model->dims().max_positions, one().value("gguf_positions", positions));
  const auto ids = test::tiny_models()["prompts"]["long"].get<std::vector<TokenId>>();
  const Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
  EXPECT_EQ(values(gguf.model->forward(batch)), values(directory.model->forward(batch)));
}
INSTANTIATE_TEST_SUITE_P(Cases, TinyModelBothFiles, ::testing::ValuesIn(names([](const auto& one) {
                           return one["gguf"].is_string() && one["weights"].is_string();
                         })),
                         [](const auto& test) { return test.param; });

// Old files: names, masks and frequencies that transformers no longer writes, a tied head, shards.
TEST(TinyModelTorchBin, GivesTheBitsOfTheSafetensors) {
  const auto ids = test::tiny_models()["prompts"]["long"].get<std::vector<TokenId>>();
  const Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
  const LoadOptions options{.compute_dtype = ComputeDtype::kFloat32};
  for (const std::string& name : names([](const auto& one) { return one.contains("torch_parts"); })) {
    SCOPED_TRACE(name);
    const test::TemporaryDirectory safetensors, torch;
    test::make_directory(test::tiny_model(name), safetensors.path());
    test::make_torch_directory(test::tiny_model(name), torch.path());
    const auto path = resolve_model(torch.path().string());
    EXPECT_EQ(path, torch.path());
    EXPECT_EQ(values(load_model(path, options).model->forward(batch)),
              values(load_model(safetensors.path(), options).model->forward(batch)));
  }
}

// torch.save keeps a tied head beside the embedding, GPT-NeoX's under its own name.
TEST(TinyModelTorchBin, MayHaveATiedHead) {
  nlohmann::json one = test::tiny_model("gpt_neox");
  one["config"]["tie_word_embeddings"] = true;
  const test::TemporaryDirectory directory;
  test::make_torch_directory(one, directory.path());
  EXPECT_EQ(load_model(directory.path()).architecture, "gpt_neox");
}

TEST(TinyModelFastPath, StaysNearTheReference) {
  constexpr double kMeanTolerance = 0.02;
  for (const char* name : {"q8_0", "q4_0"}) {
    const nlohmann::json& one = test::tiny_model(name);
    const LoadedModel loaded = load_model(test::make_gguf(one, {}));
    const auto ids = test::tiny_models()["prompts"]["long"].get<std::vector<TokenId>>();
    const std::vector<float> found = test::prompt_logprobs(*loaded.model, ids);
    double sum = 0;
    for (size_t i = 0; i < found.size(); ++i) sum += std::fabs(found[i] - one["logprobs"]["long"][i].get<double>());
    EXPECT_LT(sum / static_cast<double>(found.size()), kMeanTolerance) << name;
  }
}

TEST(DefaultModel, FirstTextMatchesTransformers) {
  const char* path = std::getenv("HEARTH_DEFAULT_MODEL");
  if (!path) GTEST_SKIP() << "HEARTH_DEFAULT_MODEL is not set";
  const nlohmann::json golden = nlohmann::json::parse(read_file("tests/golden/default_model/logprobs.json"))[0];
  const LoadedModel loaded = load_model(path, {.compute_dtype = ComputeDtype::kFloat32});
  EXPECT_EQ(loaded.description, "llama, 134.5 M parameters, Q4_1, 8192 tokens");
  const auto ids = golden["ids"].get<std::vector<TokenId>>();
  EXPECT_EQ(loaded.tokenizer->encode(golden["text"].get<std::string>()), ids);
  EXPECT_LT(
      largest_difference(test::prompt_logprobs(*loaded.model, ids), golden["logprobs"].get<std::vector<double>>()),
      2e-3);
}

}  // namespace
}  // namespace hearth
