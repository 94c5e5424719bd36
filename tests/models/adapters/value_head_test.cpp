// Value heads that LLaMA-Factory saved (tests/golden/make_reward.py): their rewards are trl's, what is written reads
// the same, and what does not fit is refused in one line.
#include "models/adapters/value_head.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "runtime/io/safetensors_writer.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path kReward = "tests/golden/reward";
constexpr double kRewards = 1e-5;  // of rewards up to 2.2
constexpr const char* kWeight = "v_head.summary.weight";
constexpr const char* kBias = "v_head.summary.bias";

const nlohmann::json& cases() {
  static const nlohmann::json kCases = nlohmann::json::parse(read_file(kReward / "cases.json"));
  return kCases;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.data(), a.data() + a.size(), b.data());
}

TEST(ValueHead, RewardsAreTrls) {
  for (const auto& [name, expected] : cases().items()) {
    const auto model = test::load_tiny(expected["model"]);
    PeftAdapter adapter;
    if (!expected["start"].is_null())
      adapter = read_adapter(fs::path("tests/golden/training") / expected["start"], model->tensors());
    ValueHead head = read_value_head(kReward / expected["head"], *model);
    for (const auto& [prompt, rewards] : expected["rewards"].items()) {
      const auto ids = test::tiny_models()["prompts"][prompt].get<std::vector<TokenId>>();
      Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
      batch.segments[0].adapter = adapter.adapter.get();
      const Tensor found = ops::rewards(model->forward(batch), head);
      ASSERT_EQ(found.size(), rewards.size());
      for (size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found.data()[i], rewards[i].get<double>(), kRewards) << name << ", " << prompt << " at " << i;
    }
  }
}

TEST(ValueHead, IsWrittenAsLlamaFactoryWritesItAndReadFromTorchsFilesToo) {
  const auto model = test::load_tiny("none");
  const test::TemporaryDirectory directory;
  EXPECT_FALSE(has_value_head(directory.path()));
  write_value_head(directory.path(), read_value_head(kReward / "llama", *model));
  EXPECT_TRUE(has_value_head(directory.path()));
  EXPECT_EQ(read_file(directory.path() / "value_head.safetensors"),
            read_file(kReward / "llama" / "value_head.safetensors"));
  EXPECT_TRUE(has_value_head(kReward / "torch_bin"));
  const ValueHead head = read_value_head(kReward / "llama", *model),
                  old = read_value_head(kReward / "torch_bin", *model);
  EXPECT_TRUE(same(head.weight.value, old.weight.value) && same(head.bias.value, old.bias.value));
}

TEST(ValueHead, ANewOneIsUniformAndItsSeeds) {
  const auto model = test::load_tiny("none");
  const ValueHead head = new_value_head(*model, 3), again = new_value_head(*model, 3),
                  other = new_value_head(*model, 4);
  const int64_t n = model->dims().hidden_size;
  ASSERT_EQ(head.weight.value.shape(), (Shape{1, n}));
  ASSERT_EQ(head.bias.value.shape(), Shape{1});
  EXPECT_TRUE(same(head.weight.value, again.weight.value) && same(head.bias.value, again.bias.value));
  EXPECT_FALSE(same(head.weight.value, other.weight.value));
  const double bound = 1 / std::sqrt(static_cast<double>(n));
  double least = 1, most = -1;
  for (int64_t i = 0; i < n; ++i) {
    least = std::min<double>(least, head.weight.value.data()[i]);
    most = std::max<double>(most, head.weight.value.data()[i]);
  }
  EXPECT_LE(std::max(-least, most), bound);
  EXPECT_GT(std::min(-least, most), 0.8 * bound);
  EXPECT_LE(std::fabs(head.bias.value.data()[0]), bound);
}

TEST(ValueHead, WhatDoesNotFitIsRefused) {
  const auto model = test::load_tiny("none");
  const int64_t n = model->dims().hidden_size;
  const test::TemporaryDirectory directory;
  const auto refusal = [&](const std::vector<TensorToWrite>& tensors) {
    write_safetensors(directory.path() / "value_head.safetensors", tensors);
    return test::refusal([&] { read_value_head(directory.path(), *model); });
  };
  const auto zeros = [](const char* name, const Shape& shape) {
    return TensorToWrite::f32(name, Tensor::zeros(shape));
  };
  EXPECT_THAT(test::refusal([&] { read_value_head(directory.path(), *model); }),
              HasSubstr("has neither value_head.safetensors nor value_head.bin, so it is no reward model"));
  EXPECT_EQ(refusal({zeros(kWeight, {1, n}), zeros(kBias, {1})}), "");
  EXPECT_THAT(refusal({zeros(kWeight, {1, n})}), HasSubstr("has no tensor 'v_head.summary.bias'"));
  EXPECT_THAT(refusal({zeros(kWeight, {1, n + 1}), zeros(kBias, {1})}),
              HasSubstr("'v_head.summary.weight' is [1, 65], must be [1, 64] for this model"));
  EXPECT_THAT(refusal({zeros(kWeight, {1, n}), zeros(kBias, {1}), zeros("v_head.other", {1})}),
              HasSubstr("has a tensor 'v_head.other'; a value head has"));
  TensorToWrite whole = zeros(kBias, {1});
  whole.dtype = "I32";
  EXPECT_THAT(refusal({zeros(kWeight, {1, n}), whole}), HasSubstr("is I32, must be F32, F16 or BF16"));
  Tensor weight = Tensor::zeros({1, n});
  weight.data()[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal({TensorToWrite::f32(kWeight, weight), zeros(kBias, {1})}),
              HasSubstr("value 7 of 'v_head.summary.weight' is nan, must be finite"));
}

}  // namespace
}  // namespace hearth
