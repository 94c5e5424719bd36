// Tiny models that see against transformers (tests/golden/make_vision.py): the prompt that its processors make,
// log-probabilities, and what the engine continues with.

#include <gtest/gtest.h>

#include "models/resolver.h"
#include "runtime/base/error.h"
#include "tests/models/vision/vision_runs.h"

namespace hearth {
namespace {

using test::answer;
using test::Answer;
using test::kExact;

void expect_reference(const LoadedModel& loaded, const nlohmann::json& run) {
  const PicturedPrompt prompt = test::prepared_prompt(loaded, run);
  ASSERT_EQ(prompt.token_ids, run["expanded"].get<std::vector<TokenId>>());
  test::expect_logprobs(loaded, prompt, run);
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const nlohmann::json& one : test::tiny_vision()["cases"]) names.push_back(one["name"]);
  return names;
}

class TinyVision : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { test::make_vision_directory(one(), directory_.path()); }
  const nlohmann::json& one() const { return test::tiny_vision_model(GetParam()); }
  test::TemporaryDirectory directory_;
};

TEST_P(TinyVision, MatchesTransformers) {
  const LoadedModel loaded = load_model(directory_.path(), kExact);
  ASSERT_TRUE(loaded.pictures);
  for (const nlohmann::json& run : one()["runs"]) expect_reference(loaded, run);
}

// In chunks that cut pictures, and again with what the prefix cache has.
TEST_P(TinyVision, IsServedAsTransformersGenerates) {
  const LoadedModel loaded = load_model(directory_.path(), kExact);
  for (const int step_tokens : {7, 512}) {
    Engine engine(loaded.model, {.cache_tokens = 2048, .kv_format = KvFormat::kF32, .step_tokens = step_tokens});
    for (int repeat = 0; repeat < 2; ++repeat) {
      for (const nlohmann::json& run : one()["runs"]) {
        const PicturedPrompt prompt = test::pictured_prompt(loaded, run);
        const auto greedy = run["greedy"].get<std::vector<TokenId>>();
        const Answer found = answer(engine, prompt, static_cast<int>(greedy.size()));
        EXPECT_EQ(found.ids, greedy) << "by " << step_tokens;
        if (repeat == 1 && prompt.token_ids.size() > 32) {
          EXPECT_GT(found.cached_tokens, 0);
        }
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Cases, TinyVision, ::testing::ValuesIn(names()), [](const auto& test) { return test.param; });

// The tokens of two pictures are the same; what they show is not.
TEST(VisionPrefixes, AreSharedByTheSamePictureOnly) {
  const test::TemporaryDirectory directory;
  test::make_vision_directory(test::tiny_vision_model("llava"), directory.path());
  const LoadedModel loaded = load_model(directory.path(), kExact);
  Engine engine(loaded.model, {.cache_tokens = 2048, .kv_format = KvFormat::kF32});
  nlohmann::json run = test::tiny_vision_model("llava")["runs"][0];
  const Answer first = answer(engine, test::pictured_prompt(loaded, run), 12);
  run["pictures"] = {"portrait"};
  const Answer second = answer(engine, test::pictured_prompt(loaded, run), 12);
  EXPECT_LT(second.cached_tokens, 16);
  EXPECT_NE(first.ids, second.ids);
}

// transformers 5 leaves a part of the name out when it saves a CLIP or a SigLIP.
TEST(VisionNames, OfTransformers4AreRead) {
  for (const char* name : {"llava", "llava_siglip", "llava_next"}) {
    const nlohmann::json& one = test::tiny_vision_model(name);
    const test::TemporaryDirectory directory;
    test::make_vision_files(one, directory.path());
    test::write_renamed(one, directory.path() / "model.safetensors", [](const std::string& now) {
      const std::string prefix = "vision_tower.";
      return now.starts_with(prefix) ? prefix + "vision_model." + now.substr(prefix.size()) : now;
    });
    const LoadedModel loaded = load_model(directory.path(), kExact);
    for (const nlohmann::json& run : one["runs"]) expect_reference(loaded, run);
  }
}

TEST(VisionTorchBin, GivesTheBitsOfTheSafetensors) {
  const nlohmann::json& one = test::tiny_vision_model("llava");
  const test::TemporaryDirectory directory;
  test::make_vision_files(one, directory.path());
  for (const char* file :
       {"pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"})
    std::filesystem::copy(test::kTinyVision / file, directory.path());
  const LoadedModel loaded = load_model(resolve_model(directory.path().string()), kExact);
  for (const nlohmann::json& run : one["runs"]) expect_reference(loaded, run);
}

TEST(VisionConfigs, SayWhatIsWrongWithThem) {
  const auto expect_error = [](const std::function<void(nlohmann::json&)>& change, const std::string& part,
                               const char* name = "llava") {
    nlohmann::json one = test::tiny_vision_model(name);
    change(one["config"]);
    const test::TemporaryDirectory directory;
    test::make_vision_directory(one, directory.path());
    try {
      load_model(directory.path());
      FAIL() << "loaded without " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_error([](auto& config) { config.erase("vision_config"); }, "vision_config");
  expect_error([](auto& config) { config["vision_config"]["model_type"] = "eva"; }, "'eva'");
  expect_error([](auto& config) { config["vision_config"]["num_attention_heads"] = 3; }, "3 attention heads");
  expect_error([](auto& config) { config["vision_feature_layer"] = 9; }, "vision_feature_layer");
  expect_error([](auto& config) { config["vision_feature_layer"] = {-2, -1}; }, "several");
  expect_error([](auto& config) { config["projector_hidden_act"] = "x"; }, "projector_hidden_act");
  expect_error([](auto& config) { config["architectures"] = {"LlavaX"}; }, "'LlavaX'");
  expect_error([](auto& config) { config["text_config"]["model_type"] = "x"; }, "text_config");
  expect_error([](auto& config) { config["vision_feature_select_strategy"] = "full"; }, "each patch", "llava_next");
  expect_error([](auto& config) { config["rope_scaling"]["mrope_section"] = {2, 3, 4}; }, "mrope_section", "qwen2_vl");
  expect_error([](auto& config) { config["rope_scaling"]["mrope_section"] = {8}; }, "mrope_section", "qwen2_vl");
  expect_error([](auto& config) { config["vision_config"]["num_heads"] = 16; }, "multiple of 8", "qwen2_5_vl");
  expect_error([](auto& config) { config["vision_config"]["window_size"] = 4; }, "window_size", "qwen2_5_vl");
  expect_error([](auto& config) { config["scale_factor"] = 3; }, "scale_factor 3", "idefics3");
  expect_error([](auto& config) { config.erase("perceiver_config"); }, "no perceiver_config", "idefics2");
  expect_error([](auto& config) { config["perceiver_config"]["resampler_head_dim"] = 9; }, "is 9", "idefics2");
  expect_error([](auto& config) { config["perceiver_config"]["num_key_value_heads"] = 3; }, "one of 3", "idefics2");
}

// Files of two models in one directory: no picture fits, and the engine never sees one.
TEST(VisionConfigs, MustFitTheirProcessor) {
  for (const char* name : {"llava", "llava_next", "qwen2_vl", "idefics3"}) {
    nlohmann::json one = test::tiny_vision_model(name);
    one["preprocessor"] =
        test::tiny_vision_model(std::string(name) == "qwen2_vl" ? "llava" : "qwen2_vl")["preprocessor"];
    const test::TemporaryDirectory directory;
    test::make_vision_directory(one, directory.path());
    const LoadedModel loaded = load_model(directory.path());
    EXPECT_THROW(loaded.pictures->prepare(test::tiny_picture("landscape")), Error) << name;
  }
}

TEST(VisionConfigs, LeaveNoTileWithoutAPatch) {
  nlohmann::json one = test::tiny_vision_model("idefics2");
  one["preprocessor"]["size"]["shortest_edge"] = 2;
  const test::TemporaryDirectory directory;
  test::make_vision_directory(one, directory.path());
  const LoadedModel loaded = load_model(directory.path());
  EXPECT_THROW(loaded.pictures->prepare(test::tiny_picture("panorama")), Error);
}

// A template's placeholder is one; what a user spells, or writes right behind a picture, is the user's text.
TEST(PreparedPrompts, SpaceWordsBehindPicturesOnly) {
  const test::TemporaryDirectory directory;
  test::make_vision_directory(test::tiny_vision_model("idefics2"), directory.path());
  const LoadedModel loaded = load_model(directory.path());
  using Kind = PromptSegment::Kind;
  const std::string text = "User:<image>a <image>b<image>\u00e9<image>\u2003<image><x><image>";
  std::vector<PromptSegment> segments = {{Kind::kText, text, {{12, 22}}}, {Kind::kToken, "<image>b"}};
  loaded.pictures->prepare(segments);
  EXPECT_EQ(segments[0].text, "User:<image> a <image>b<image> \u00e9<image>\u2003<image><x><image>");
  EXPECT_EQ(segments[0].literal, (std::vector<ByteRange>{{13, 23}}));
  EXPECT_EQ(segments[1].text, "<image>b");
}

// What a tokenizer without them made of the marks around a picture would be read as words.
TEST(VisionConfigs, MustFitTheirTokenizer) {
  const auto expect_error = [](const std::function<void(nlohmann::json&)>& change, const std::string& part) {
    nlohmann::json one = test::tiny_vision_model("idefics3");
    change(one);
    const test::TemporaryDirectory directory;
    test::make_vision_directory(one, directory.path());
    const LoadedModel loaded = load_model(directory.path());
    try {
      loaded.pictures->prepare(test::tiny_picture("landscape"));
      FAIL() << "prepared without " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_error([](auto& one) { one["tokenizer"] = "tokenizer"; }, "'<fake_token_around_image>'");
  expect_error([](auto& one) { one["config"]["image_token_id"] = 260; }, "the one token 260");
}

TEST(PlacedPictures, AreAsManyAsPlaces) {
  EXPECT_THROW(place_pictures(std::vector<TokenId>{1, 7, 7}, 7, {}), Error);
  EXPECT_EQ(place_pictures(std::vector<TokenId>{1, 2}, 7, {}).token_ids, (std::vector<TokenId>{1, 2}));
}

}  // namespace
}  // namespace hearth
