#include "models/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Loader : public ::testing::Test {
 protected:
  void SetUp() override { test::make_directory(test::tiny_model("none"), directory_.path()); }

  void change_config(const nlohmann::json& patch) { change("config.json", patch); }
  void change(const std::string& file, const nlohmann::json& patch) {
    nlohmann::json json = nlohmann::json::parse(read_file(directory_.path() / file));
    json.merge_patch(patch);
    write_file_atomic(directory_.path() / file, json.dump());
  }
  std::string refusal() {
    try {
      load_model(directory_.path());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Loader, FillsEverythingFromADirectory) {
  const LoadedModel loaded = load_model(directory_.path());
  EXPECT_EQ(loaded.architecture, "llama");
  EXPECT_EQ(loaded.description, "llama, 0.1 M parameters, F32, 64 tokens");
  EXPECT_EQ(loaded.model->dims().vocab_size, 320);
  EXPECT_EQ(loaded.tokenizer->vocab_size(), 320);
  ASSERT_NE(loaded.chat_template, nullptr);
  EXPECT_THAT(loaded.chat_template->source(), HasSubstr("add_generation_prompt"));
  EXPECT_THAT(loaded.stop_token_ids, ElementsAre(2, 0));
  EXPECT_FLOAT_EQ(*loaded.defaults.temperature, 0.6f);
  EXPECT_EQ(loaded.defaults.top_k, 40);
  EXPECT_EQ(loaded.defaults.min_p, std::nullopt);
}

TEST_F(Loader, FillsEverythingFromGguf) {
  const LoadedModel loaded = load_model(test::make_gguf(test::tiny_model("none"), directory_.path()));
  EXPECT_EQ(loaded.architecture, "llama");
  EXPECT_EQ(loaded.tokenizer->vocab_size(), 320);
  ASSERT_NE(loaded.chat_template, nullptr);
  EXPECT_THAT(loaded.stop_token_ids, ElementsAre(2, 0));
}

TEST_F(Loader, BothFilesTokeniseAlike) {
  const LoadedModel directory = load_model(directory_.path());
  const LoadedModel gguf = load_model(test::make_gguf(test::tiny_model("none"), directory_.path()));
  for (const char* text : {"the cat and the dog", "<|im_start|>user\nHello, 世界!<|im_end|>", "  two  spaces\n\n1234"})
    EXPECT_EQ(directory.tokenizer->encode(text), gguf.tokenizer->encode(text)) << text;
}

TEST_F(Loader, TemplateFileWinsOverTokenizerConfig) {
  write_file_atomic(directory_.path() / "chat_template.jinja", "from the file");
  EXPECT_EQ(load_model(directory_.path()).chat_template->source(), "from the file");
}

TEST_F(Loader, NamedTemplatesGiveTheDefaultOne) {
  change("tokenizer_config.json",
         {{"chat_template", {{{"name", "tool_use"}, {"template", "a"}}, {{"name", "default"}, {"template", "b"}}}}});
  EXPECT_EQ(load_model(directory_.path()).chat_template->source(), "b");
}

TEST_F(Loader, WithoutATemplateThereIsNone) {
  change("tokenizer_config.json", {{"chat_template", nullptr}});
  EXPECT_EQ(load_model(directory_.path()).chat_template, nullptr);
}

TEST_F(Loader, ShapesThatContradictTheConfigAreNamed) {
  change_config({{"intermediate_size", 128}});
  EXPECT_THAT(
      refusal(),
      HasSubstr(
          "model.safetensors: tensor 'model.layers.0.mlp.gate_proj.weight' is [96, 64], the config says [128, 64]"));
}

TEST_F(Loader, MissingAndForeignTensorsAreNamed) {
  change_config({{"num_hidden_layers", 3}});
  EXPECT_THAT(refusal(), HasSubstr("has no tensor 'model.layers.2."));
  change_config({{"num_hidden_layers", 1}});
  EXPECT_THAT(
      refusal(),
      HasSubstr("tensor 'model.layers.1.input_layernorm.weight' is not part of a llama as the config describes it"));
  change_config({{"num_hidden_layers", 2}, {"attention_bias", true}});
  EXPECT_THAT(refusal(), HasSubstr("_proj.bias', which the config asks for"));
}

TEST_F(Loader, UnknownModelsAreNamed) {
  change_config({{"model_type", "mamba"}});
  EXPECT_THAT(refusal(), HasSubstr("config.json: architecture 'mamba' is not one that hearth has; it has 'cohere', "));
  change_config({{"model_type", "llama"}, {"architectures", {"LlamaForSequenceClassification"}}});
  EXPECT_THAT(refusal(), HasSubstr("'LlamaForSequenceClassification'"));
}

TEST_F(Loader, PathsThatAreNoModelsAreNamed) {
  std::filesystem::remove(directory_.path() / "config.json");
  EXPECT_THAT(refusal(), HasSubstr("has no config.json"));
  EXPECT_THROW(load_model(directory_.path() / "missing"), Error);
  EXPECT_THROW(load_model(directory_.path() / "tokenizer.json"), Error);
}

}  // namespace
}  // namespace hearth
