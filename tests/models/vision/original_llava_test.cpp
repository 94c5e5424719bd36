// Tiny LLaVA models in the layout of LLaVA's own code, made of those in transformers': they must compute the same.
#include <functional>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/models/vision/vision_runs.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Layout {
  const char* name;  // of the case
  const char* architecture;
  const char* aspect_ratio;
  bool has_tower;  // in its own weights
};

Json config_of(const Json& one, const Layout& layout) {
  Json config = one["config"]["text_config"];
  Json pinpoints = one["config"].value("image_grid_pinpoints", Json::array());
  for (Json& size : pinpoints) std::swap(size[0], size[1]);
  config.update({{"model_type", "llava"},
                 {"architectures", {layout.architecture}},
                 {"mm_vision_tower", "openai/clip"},
                 {"mm_projector_type", "mlp2x_gelu"},
                 {"mm_patch_merge_type", "spatial_unpad"},
                 {"mm_vision_select_layer", -2},
                 {"mm_vision_select_feature", "patch"},
                 {"image_aspect_ratio", layout.aspect_ratio},
                 {"image_grid_pinpoints", pinpoints}});
  return config;
}

// In LLaVA's own layout, the tower's as its own checkpoint has it.
std::string original_name(const std::string& name) {
  const std::pair<std::string, std::string> prefixes[] = {{"language_model.model.", "model."},
                                                          {"language_model.lm_head.", "lm_head."},
                                                          {"multi_modal_projector.linear_1.", "model.mm_projector.0."},
                                                          {"multi_modal_projector.linear_2.", "model.mm_projector.2."},
                                                          {"image_newline", "model.image_newline"},
                                                          {"vision_tower.", "vision_model."}};
  for (const auto& [from, to] : prefixes)
    if (name.starts_with(from)) return to + name.substr(from.size());
  throw not_found("no name for '{}'", name);
}

void write_weights(const Json& one, bool has_tower, const fs::path& directory) {
  const auto write = [&](const fs::path& path, bool is_tower, const std::string& tower_prefix) {
    test::write_renamed(one, path, [&](const std::string& name) -> std::optional<std::string> {
      if (!name.starts_with("vision_tower.")) return is_tower ? std::nullopt : std::optional(original_name(name));
      return is_tower || has_tower ? std::optional(tower_prefix + original_name(name)) : std::nullopt;
    });
  };
  write(directory / "model.safetensors", false, "model.vision_tower.vision_tower.");
  if (!has_tower) write(directory / "openai/clip/model.safetensors", true, "");
}

void make_directory(
    const Layout& layout, const fs::path& directory, const std::function<void(Json&)>& change = [](Json&) {}) {
  const Json& one = test::tiny_vision_model(layout.name);
  Json config = config_of(one, layout);
  change(config);
  write_file_atomic(directory / "config.json", config.dump());
  const fs::path tower = directory / "openai/clip";
  fs::create_directories(tower);
  write_file_atomic(tower / "config.json",
                    Json{{"model_type", "clip"}, {"vision_config", one["config"]["vision_config"]}}.dump());
  Json preprocessor = one["preprocessor"];
  for (const char* key : {"image_processor_type", "do_pad", "image_grid_pinpoints"}) preprocessor.erase(key);
  write_file_atomic(tower / "preprocessor_config.json", preprocessor.dump());
  write_weights(one, layout.has_tower, directory);
  Json tokenizer = Json::parse(read_file(test::kTinyVision / "tokenizer.json"));  // which knows no <image>
  std::erase_if(tokenizer["added_tokens"].get_ref<Json::array_t&>(),
                [](const Json& token) { return token["content"] == "<image>"; });
  write_file_atomic(directory / "tokenizer.json", tokenizer.dump());
  fs::copy(test::kTinyVision / "tokenizer_config.json", directory);
}

class OriginalLlava : public ::testing::TestWithParam<Layout> {};

TEST_P(OriginalLlava, ComputesWhatTransformersDoes) {
  const test::TemporaryDirectory directory;
  make_directory(GetParam(), directory.path());
  const LoadedModel loaded = load_model(directory.path(), test::kExact);
  Engine engine(loaded.model, {.cache_tokens = 2048, .kv_format = KvFormat::kF32});
  for (const Json& run : test::tiny_vision_model(GetParam().name)["runs"]) {
    const PicturedPrompt prompt = test::prepared_prompt(loaded, run);
    ASSERT_EQ(prompt.token_ids.size(), run["expanded"].size());
    test::expect_logprobs(loaded, prompt, run);
    const auto greedy = run["greedy"].get<std::vector<TokenId>>();
    EXPECT_EQ(test::answer(engine, prompt, static_cast<int>(greedy.size())).ids, greedy);
  }
}
INSTANTIATE_TEST_SUITE_P(Layouts, OriginalLlava,
                         ::testing::Values(Layout{"llava", "LlavaLlamaForCausalLM", "square", false},
                                           Layout{"llava_pad", "LlavaLlamaForCausalLM", "pad", false},
                                           Layout{"llava_pad", "LlavaLlamaForCausalLM", "pad", true},
                                           Layout{"llava_next", "LlavaMistralForCausalLM", "anyres", true}),
                         [](const auto& test) {
                           return std::string(test.param.name) + (test.param.has_tower ? "_with_tower" : "");
                         });

// Its code's templates, as it has none in its files; a user's "<image>" is text.
TEST(OriginalLlavaPrompts, AreThoseOfItsCode) {
  const auto prompt = [](const Layout& layout, const Json& messages) {
    const test::TemporaryDirectory directory;
    make_directory(layout, directory.path());
    const LoadedModel loaded = load_model(directory.path());
    ChatTemplateInputs inputs;
    inputs.messages = messages;
    inputs.add_generation_prompt = true;
    std::vector<PromptSegment> segments = render_prompt(loaded, inputs);
    loaded.pictures->prepare(segments);
    const auto ids = encode_segments(*loaded.tokenizer, segments);
    EXPECT_EQ(std::ranges::count(ids, loaded.pictures->placeholder()), 1);
    return segments_text(*loaded.tokenizer, segments);
  };
  const Json question = {{"role", "user"},
                         {"content", {{{"type", "text"}, {"text", "Is <image> a\ncat?"}}, {{"type", "image"}}}}};
  const Json answer = {{"role", "assistant"}, {"content", "Yes."}}, next = {{"role", "user"}, {"content", "And?"}},
             system = {{"role", "system"}, {"content", "Be brief."}};
  const Layout vicuna{"llava", "LlavaLlamaForCausalLM", "pad", true},
      mistral{"llava_next", "LlavaMistralForCausalLM", "anyres", true};
  EXPECT_EQ(prompt(vicuna, {question, answer, next}),
            "<|im_start|>A chat between a curious user and an artificial intelligence assistant. The assistant gives "
            "helpful, detailed, and polite answers to the user's questions. USER: <image>\nIs <image> a\ncat? "
            "ASSISTANT: Yes.<|im_end|>USER: And? ASSISTANT:");
  EXPECT_EQ(prompt(vicuna, {system, question}), "<|im_start|>Be brief. USER: <image>\nIs <image> a\ncat? ASSISTANT:");
  EXPECT_EQ(prompt(mistral, {question, answer, next}),
            "<|im_start|>[INST] <image>\nIs <image> a\ncat? [/INST] Yes. <|im_end|>[INST] And? [/INST]");
  EXPECT_EQ(prompt(mistral, {system, question}),
            "<|im_start|>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n<image>\nIs <image> a\ncat? [/INST]");
}

TEST(OriginalLlavaConfigs, SayWhatIsWrongWithThem) {
  const auto expect_error = [](const std::function<void(Json&)>& change, const std::string& part) {
    const test::TemporaryDirectory directory;
    make_directory({"llava_next", "LlavaMistralForCausalLM", "anyres", false}, directory.path(), change);
    try {
      load_model(directory.path());
      FAIL() << "loaded without " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect_error([](Json& config) { config.erase("mm_vision_tower"); }, "mm_vision_tower");
  expect_error([](Json& config) { config["mm_vision_tower"] = "openai/lost"; }, "`hearth pull openai/lost`");
  expect_error([](Json& config) { config["mm_vision_tower"] = "../lost"; }, "put it into");
  expect_error([](Json& config) { config["image_aspect_ratio"] = "highres"; }, "'highres'; hearth has square, pad");
  expect_error([](Json& config) { config["mm_projector_type"] = "linear"; }, "mm_projector_type");
  expect_error([](Json& config) { config["mm_patch_merge_type"] = "flat"; }, "mm_patch_merge_type");
  expect_error([](Json& config) { config["mm_vision_select_feature"] = "cls_patch"; }, "mm_vision_select_feature");
  expect_error([](Json& config) { config["mm_vision_select_layer"] = 9; }, "mm_vision_select_layer");
  expect_error([](Json& config) { config["mm_use_im_start_end"] = true; }, "mm_use_im_start_end");
  expect_error([](Json& config) { config["image_grid_pinpoints"] = "(1x1)"; }, "image_grid_pinpoints");
  expect_error([](Json& config) { config["image_grid_pinpoints"] = {{30}}; }, "image_grid_pinpoints");
}

// The tower of the released models is known by its name, but its weights must be somewhere.
TEST(OriginalLlavaConfigs, AskForTheTower) {
  const test::TemporaryDirectory directory;
  make_directory({"llava", "LlavaLlamaForCausalLM", "pad", false}, directory.path(),
                 [](Json& config) { config["mm_vision_tower"] = "nobody/clip-vit-large-patch14-336"; });
  EXPECT_TRUE(load_without_weights(directory.path()).pictures);
  try {
    load_model(directory.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("`hearth pull nobody/clip-vit-large-patch14-336`"), std::string::npos);
  }
}

}  // namespace
}  // namespace hearth
