#include "runtime/io/weight_source.h"

#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/io/gguf.h"
#include "tests/support/image_builder.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

template <class Read>
std::string refusal(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string image_of(const std::string& tensors, const std::vector<float>& values) {
  std::string image = test::safetensors_image("{" + tensors + "}", 0);
  return image.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

class SafetensorsWeights : public ::testing::Test {
 protected:
  WeightSource source(const std::string& image) {
    write_file_atomic(directory_.path() / "model.safetensors", image);
    return WeightSource::from_directory(directory_.path());
  }
  test::TemporaryDirectory directory_;
};

TEST_F(SafetensorsWeights, GivesMatricesAndVectors) {
  // A header of odd length leaves the data unaligned, which older writers do.
  for (const char* padding : {"", " ", "  ", "   "}) {
    WeightSource weights = source(image_of(
        padding +
            std::string(
                R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[2],"data_offsets":[24,32]})"),
        {1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_TRUE(weights.has("w"));
    EXPECT_FALSE(weights.has("x"));
    EXPECT_THAT(weights.unused(), ElementsAre("b", "w"));
    const Weight w = weights.matrix("w", 2, 3);
    float row[3];
    w.dequantize_rows(1, 2, row);
    EXPECT_THAT(row, ElementsAre(4, 5, 6));
    const Tensor b = weights.vector("b", 2);
    EXPECT_EQ(b.data()[1], 8);
    EXPECT_TRUE(weights.unused().empty());
    EXPECT_EQ(weights.main_format(), "F32");
    EXPECT_EQ(weights.num_values(), 8);
  }
}

TEST_F(SafetensorsWeights, ErrorsNameFileTensorAndShapes) {
  WeightSource weights = source(image_of(
      R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"i":{"dtype":"I32","shape":[2],"data_offsets":[24,32]})",
      {1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_THAT(refusal([&] { weights.matrix("w", 3, 2); }),
              EndsWith("model.safetensors: tensor 'w' is [2, 3], the config says [3, 2]"));
  EXPECT_THAT(refusal([&] { weights.vector("w", 6); }), EndsWith("tensor 'w' is [2, 3], the config says [6]"));
  EXPECT_THAT(refusal([&] { weights.matrix("v", 3, 2); }), HasSubstr("has no tensor 'v'"));
  EXPECT_THAT(refusal([&] { weights.vector("i", 2); }),
              HasSubstr("tensor 'i' is I32, hearth computes with F32, F16 and BF16"));
}

TEST(GgufWeights, PutsInterleavedRowsBack) {
  // Two heads of 4 rows: a row's value says where it belongs.
  std::string image = test::GgufBuilder(2, 0)
                          .tensor("blk.0.attn_q.weight", {1, 8}, 0, 0)
                          .tensor("blk.0.attn_q.bias", {8}, 0, 32)
                          .data(0)
                          .bytes();
  for (int tensor = 0; tensor < 2; ++tensor)
    for (const float row : {0.f, 2.f, 1.f, 3.f, 4.f, 6.f, 5.f, 7.f})
      image.append(reinterpret_cast<const char*>(&row), sizeof(row));
  WeightSource weights = WeightSource::from_gguf(GgufFile::parse(test::as_image(image), "m.gguf"));
  for (const std::string& name : weights.names()) weights.reorder_rows(name, undo_interleaving(2, 4));
  float rows[8];
  weights.matrix("model.layers.0.self_attn.q_proj.weight", 8, 1).dequantize_rows(0, 8, rows);
  EXPECT_THAT(rows, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  const Tensor bias = weights.vector("model.layers.0.self_attn.q_proj.bias", 8);
  EXPECT_THAT(std::vector<float>(bias.data(), bias.data() + 8), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(GgufWeights, RowsThatAreNotThereAreRefused) {
  const std::string image = test::GgufBuilder(1, 0).tensor("blk.0.attn_k.weight", {1, 6}, 0, 0).data(24).bytes();
  WeightSource weights = WeightSource::from_gguf(GgufFile::parse(test::as_image(image), "m.gguf"));
  const std::string name = "model.layers.0.self_attn.k_proj.weight";
  weights.reorder_rows(name, undo_interleaving(2, 4));
  EXPECT_THAT(refusal([&] { weights.matrix(name, 8, 1); }), HasSubstr("is [6, 1], the config says [8, 1]"));
}

TEST(GgufWeights, ExpertsOfOneTensorHaveNamesOfTheirOwn) {
  std::string image = test::GgufBuilder(1, 0).tensor("blk.3.ffn_up_exps.weight", {2, 1, 2}, 0, 0).data(0).bytes();
  for (const float value : {1.f, 2.f, 3.f, 4.f}) image.append(reinterpret_cast<const char*>(&value), sizeof(value));
  WeightSource weights = WeightSource::from_gguf(GgufFile::parse(test::as_image(image), "m.gguf"));
  EXPECT_THAT(weights.names(), ElementsAre("model.layers.3.mlp.experts.0.up_proj.weight",
                                           "model.layers.3.mlp.experts.1.up_proj.weight"));
  float row[2];
  weights.matrix("model.layers.3.mlp.experts.1.up_proj.weight", 1, 2).dequantize_rows(0, 1, row);
  EXPECT_THAT(row, ElementsAre(3, 4));
}

TEST_F(SafetensorsWeights, AreRearranged) {
  WeightSource weights = source(image_of(
      R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"v":{"dtype":"F32","shape":[2],"data_offsets":[24,32]})",
      {1, 2, 3, 4, 5, 6, 7, 8}));
  weights.take_rows("w", "second", std::make_shared<RowOrder>(RowOrder{2, {1}}));
  weights.transpose("w");
  weights.rename("w", "t");
  weights.add_to_values("v", -1);
  weights.put("new", {1, 2}, {9, 10});
  weights.rename("absent", "x");
  EXPECT_THAT(weights.names(), ElementsAre("new", "second", "t", "v"));
  float rows[6];
  weights.matrix("t", 3, 2).dequantize_rows(0, 3, rows);
  EXPECT_THAT(rows, ElementsAre(1, 4, 2, 5, 3, 6));
  weights.matrix("second", 1, 3).dequantize_rows(0, 1, rows);
  EXPECT_THAT(std::span(rows, 3), ElementsAre(4, 5, 6));
  const Tensor v = weights.vector("v", 2);
  EXPECT_THAT(std::span(v.data(), 2), ElementsAre(6, 7));
  weights.matrix("new", 1, 2).dequantize_rows(0, 1, rows);
  EXPECT_THAT(std::span(rows, 2), ElementsAre(9, 10));
  EXPECT_THAT(refusal([&] { weights.rename("t", "v"); }), HasSubstr("is there under another name too"));
}

TEST(GgufWeights, NamesAreHuggingFaces) {
  constexpr GgufName kOfModel[] = {{"token_embd", "model.embed_tokens"}, {"output", "lm_head"}};
  EXPECT_EQ(hugging_face_name("token_embd.weight", {.of_model = kOfModel}), "model.embed_tokens.weight");
  EXPECT_EQ(hugging_face_name("output.weight", {.of_model = kOfModel}), "lm_head.weight");
  EXPECT_EQ(hugging_face_name("blk.12.ffn_down.bias"), "model.layers.12.mlp.down_proj.bias");
  for (const char* other : {"rope_freqs.weight", "blk.", "blk.1", "blk.1.", "blk.1.x", "blk.1.new.weight", "", "."})
    EXPECT_EQ(hugging_face_name(other), other);
}

TEST(GgufWeights, NamesAreFoundBack) {
  constexpr GgufName kOfModel[] = {{"token_embd", "model.embed_tokens"}, {"position_embd", ""}};
  // A family's own names hide the llama's of the same tensor, and of two names for one tensor both are known.
  constexpr GgufName kOfLayer[] = {
      {"ffn_norm", "pre_norm"}, {"attn_norm", "one"}, {"attn_norm", "two"}, {"b.bias", "b"}};
  const GgufNames names{.of_layer = kOfLayer, .of_model = kOfModel};
  for (const auto& [name, gguf] : {std::pair("model.embed_tokens.weight", "token_embd.weight"),
                                   {"model.layers.12.mlp.down_proj.bias", "blk.12.ffn_down.bias"},
                                   {"model.layers.0.mlp.experts.31.up_proj.weight", "blk.0.ffn_up_exps.weight"},
                                   {"model.layers.0.pre_norm.weight", "blk.0.ffn_norm.weight"},
                                   {"model.layers.0.one.weight", "blk.0.attn_norm.weight"},
                                   {"model.layers.0.two.weight", "blk.0.attn_norm.weight"},
                                   {"model.layers.0.b", "blk.0.b.bias"}}) {
    ASSERT_TRUE(gguf_name(name, names)) << name;
    EXPECT_EQ(gguf_name(name, names)->name, gguf);
    EXPECT_EQ(gguf_name(name, names)->has_many, std::string_view(name).find("experts") != std::string_view::npos);
  }
  for (const char* other : {"", ".weight", "model.layers.", "model.layers.0", "model.layers.x.one.weight",
                            "model.layers.0.post_attention_layernorm.weight", "model.layers.0.one.weights",
                            "model.layers.0.mlp.experts..up_proj.weight", "model.layers.0.mlp.experts.3"})
    EXPECT_FALSE(gguf_name(other, names)) << other;
}

TEST(GgufWeights, PlannedTensorsHaveTheirPlaces) {
  GgufFile::Tensor experts, keys;
  experts.name = "blk.0.ffn_up_exps.weight";
  experts.rank = 3;
  experts.dims = {4, 6, 2, 1};
  keys.name = "blk.0.attn_k.weight";
  keys.rank = 2;
  keys.dims = {4, 8, 1, 1};
  WeightSource plan = WeightSource::planned_gguf(std::array{experts, keys}, "m", {});
  plan.reorder_rows("model.layers.0.self_attn.k_proj.weight", undo_interleaving(2, 4));
  const auto second = plan.place_of("model.layers.0.mlp.experts.1.up_proj.weight");
  EXPECT_EQ(second->tensor, experts.name);
  EXPECT_EQ(second->first_row, 6);
  EXPECT_THAT(plan.place_of("model.layers.0.self_attn.k_proj.weight")->order->rows,
              ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
  EXPECT_FALSE(plan.place_of("model.layers.0.mlp.experts.2.up_proj.weight"));
}

}  // namespace
}  // namespace hearth
