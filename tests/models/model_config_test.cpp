#include "models/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Config : public ::testing::Test {
 protected:
  ModelConfig read(const nlohmann::json& patch = nlohmann::json::object()) {
    nlohmann::json json = {{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"vocab_size", 320},
                           {"hidden_size", 64},
                           {"intermediate_size", 96},
                           {"num_hidden_layers", 2},
                           {"num_attention_heads", 4}};
    json.merge_patch(patch);
    write_file_atomic(directory_.path() / "config.json", json.dump());
    return read_model_config(directory_.path() / "config.json");
  }
  std::string refusal(const nlohmann::json& patch) {
    try {
      read(patch);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Config, DefaultsAreTransformers) {
  const ModelConfig config = read();
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_FLOAT_EQ(config.norm.eps, 1e-6f);
  EXPECT_EQ(config.rope.rope_theta, 10000.0);
  EXPECT_EQ(config.rope.type, RopeType::kDefault);
  EXPECT_FALSE(config.tie_word_embeddings || config.attention_bias || config.mlp_bias);
}

TEST_F(Config, BiasesAndWindowsAreTheFamilys) {
  const ModelConfig llama = read({{"attention_bias", true}, {"mlp_bias", true}, {"sliding_window", 64}});
  EXPECT_TRUE(llama.attention_bias && llama.attention_output_bias && llama.mlp_bias);
  EXPECT_THAT(llama.windows, ElementsAre(0, 0));

  const auto family = [&](const char* name, const char* hugging_face, nlohmann::json patch) {
    patch["model_type"] = name;
    patch["architectures"] = {hugging_face};
    return read(patch);
  };
  const ModelConfig mistral =
      family("mistral", "MistralForCausalLM", {{"attention_bias", true}, {"sliding_window", 64}});
  EXPECT_FALSE(mistral.attention_bias || mistral.attention_output_bias);
  EXPECT_THAT(mistral.windows, ElementsAre(64, 64));
  EXPECT_THAT(family("mistral", "MistralForCausalLM", nlohmann::json::object()).windows, ElementsAre(4096, 4096));

  const ModelConfig qwen2 = family("qwen2", "Qwen2ForCausalLM", {{"sliding_window", 64}});
  EXPECT_TRUE(qwen2.attention_bias && !qwen2.attention_output_bias && !qwen2.mlp_bias);
  EXPECT_THAT(qwen2.windows, ElementsAre(0, 0));
  const nlohmann::json windowed = {{"sliding_window", 64}, {"use_sliding_window", true}, {"max_window_layers", 1}};
  EXPECT_THAT(family("qwen2", "Qwen2ForCausalLM", windowed).windows, ElementsAre(0, 64));
  nlohmann::json typed = windowed;
  typed["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_THAT(family("qwen2", "Qwen2ForCausalLM", typed).windows, ElementsAre(64, 0));

  EXPECT_EQ(family("qwen3", "Qwen3ForCausalLM", {{"use_sliding_window", false}}).head_dim, 128);
  EXPECT_THAT(refusal({{"model_type", "qwen3"}, {"architectures", {"Qwen3ForSequenceClassification"}}}),
              HasSubstr("of 'qwen3' it has 'Qwen3ForCausalLM'"));
}

TEST_F(Config, KnowsCLIPsActivation) {
  EXPECT_EQ(read({{"hidden_act", "quick_gelu"}}).activation, Activation::kQuickGelu);
}

TEST_F(Config, WhatWouldComputeSomethingElseIsRefusedByName) {
  EXPECT_THAT(refusal({{"hidden_act", "relu2"}}), HasSubstr("hidden_act is 'relu2'"));
  EXPECT_THAT(refusal({{"quantization_config", {{"bits", 4}}}}), HasSubstr("quantization_config"));
  EXPECT_THAT(refusal({{"model_type", nullptr}}), HasSubstr("has no model_type"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "ntk"}, {"factor", 2.0}}}}), HasSubstr("rope scaling 'ntk'"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "longrope"}, {"short_factor", {1.0}}}}}),
              HasSubstr("longrope has 1 short and 0 long factors, rope turns 8 pairs"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"type", "mrope"}, {"mrope_section", {1, 2}}}}}), HasSubstr("mrope"));
  EXPECT_THAT(refusal({{"rope_parameters", {{"sliding_attention", {{"rope_type", "default"}}}}}}),
              HasSubstr("has no full_attention"));
  EXPECT_THAT(refusal({{"partial_rotary_factor", 0.2}}), HasSubstr("rope turns 3 of a head's 16 dimensions"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "linear"}}}}), HasSubstr("has no factor"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}}}}), HasSubstr("low_freq_factor"));
}

TEST_F(Config, SizesOutOfRangeAreRefused) {
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    EXPECT_THAT(refusal({{key, nullptr}}), HasSubstr("has no " + std::string(key)));
    for (const nlohmann::json& value :
         {nlohmann::json(0), nlohmann::json(-4), nlohmann::json(1.5), nlohmann::json("64"),
          nlohmann::json(uint64_t{1} << 63), nlohmann::json(int64_t{1} << 40), nlohmann::json::array({64})})
      EXPECT_THAT(refusal({{key, value}}), HasSubstr(std::string(key) + " is ")) << value;
  }
  EXPECT_THAT(refusal({{"num_key_value_heads", 3}}), HasSubstr("cannot share 3 key-value heads"));
  EXPECT_THAT(refusal({{"num_attention_heads", 3}}), HasSubstr("not a multiple of 3"));
  EXPECT_THAT(refusal({{"head_dim", 15}}), HasSubstr("rope turns 15 of a head's 15 dimensions"));
  EXPECT_THAT(refusal({{"rms_norm_eps", 0}}), HasSubstr("rms_norm_eps is 0"));
  EXPECT_THAT(refusal({{"rope_theta", "x"}}), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}}}), HasSubstr("factor is 0"));
}

TEST_F(Config, ScalingStretchesTheContext) {
  const auto dims = [&](const nlohmann::json& scaling) {
    return model_dims(read({{"max_position_embeddings", 1000}, {"rope_scaling", scaling}}));
  };
  EXPECT_EQ(dims(nullptr).max_positions, 1000);
  EXPECT_EQ(dims({{"type", "linear"}, {"factor", 2.5}}).max_positions, 2500);
  const ModelDims dynamic = dims({{"type", "dynamic"}, {"factor", 4}});
  EXPECT_EQ(dynamic.max_positions, 4000);
  EXPECT_EQ(dynamic.fixed_rope_length, 1000);
  EXPECT_EQ(dims({{"rope_type", "yarn"}, {"factor", 4}}).max_positions, 4000);
  EXPECT_EQ(dims({{"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 250}}).max_positions,
            1000);
  EXPECT_EQ(
      dims({{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 1}, {"high_freq_factor", 4}}).max_positions,
      1000);
}

TEST_F(Config, OlderSpellingWinsAsInTransformers) {
  const ModelConfig config = read({{"rope_theta", 7.0},
                                   {"rope_parameters", {{"rope_type", "default"}}},
                                   {"rope_scaling", {{"type", "linear"}, {"factor", 2.0}, {"rope_theta", 9.0}}}});
  EXPECT_EQ(config.rope.type, RopeType::kLinear);
  EXPECT_EQ(config.rope.rope_theta, 9.0);
}

TEST_F(Config, TextThatIsNotAnObjectIsRefused) {
  for (const char* text : {"", "[]", "1", "{", "{\"vocab_size\":1e999}"}) {
    write_file_atomic(directory_.path() / "config.json", text);
    EXPECT_THROW(read_model_config(directory_.path() / "config.json"), Error) << text;
  }
}

}  // namespace
}  // namespace hearth
