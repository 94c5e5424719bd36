#include "models/adapters/new_adapter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/adapters/initial_factors.h"
#include "models/adapters/merge.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// scale * B A
std::vector<float> product(const LowRank& low_rank) {
  const int64_t out = low_rank.b.value.dim(0), in = low_rank.a.value.dim(1);
  std::vector<float> values(out * in);
  merged(Weight::from_values(out, in, values), low_rank).dequantize_rows(0, out, values.data());
  return values;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
  return std::sqrt(sum);
}

// What lora_target: all means is what transformers 5.24 has as Linear (and Conv1D), the head aside.
TEST(NewAdapter, AllIsEveryLinearMapThatTransformersHas) {
  const auto golden = nlohmann::json::parse(read_file(test::kPeftAdapters / "linear_modules.json"));
  for (const auto& [name, modules] : golden.items()) {
    const auto model = test::load_tiny(name);
    std::vector<std::string> found, expected = modules.get<std::vector<std::string>>();
    for (const std::shared_ptr<ModelTensor>& tensor : model->tensors())
      if (tensor->linear >= 0) found.emplace_back(module_path(tensor->name));
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found, expected) << name;
    const PeftAdapter adapter = make_adapter({}, model->tensors());
    EXPECT_EQ(std::count_if(adapter.adapter->low_ranks.begin(), adapter.adapter->low_ranks.end(),
                            [](const auto& low_rank) { return low_rank != nullptr; }),
              static_cast<int64_t>(expected.size()))
        << name;
    EXPECT_EQ(adapter.config.fan_in_fan_out, name == "gpt2") << name;
  }
}

TEST(NewAdapter, BeginsAsPeftsDoes) {
  const auto model = test::load_tiny("none");
  const PeftAdapter made = make_adapter({.rank = 4,
                                         .alpha = 6,
                                         .dropout = 0.25,
                                         .target = {"v_proj", "mlp.up_proj"},
                                         .additional_target = {"norm", "embed_tokens"},
                                         .use_dora = true,
                                         .seed = 3},
                                        model->tensors());
  EXPECT_THAT(made.config.target_modules.suffixes, ElementsAre("mlp.up_proj", "v_proj"));
  ASSERT_EQ(made.saved.size(), 2u);
  const ModelTensor& up = *test::tensor_of(model->tensors(), "model.layers.1.mlp.up_proj.weight");
  const LowRank& low_rank = *made.adapter->at(up.linear);
  EXPECT_EQ(low_rank.a.name, "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight");
  EXPECT_EQ(low_rank.a.value.shape(), (Shape{4, 64}));
  EXPECT_EQ(low_rank.b.value.shape(), (Shape{96, 4}));
  EXPECT_EQ(low_rank.scale, 1.5f);
  EXPECT_EQ(low_rank.dropout, 0.25f);
  const std::span a(low_rank.a.value.data(), low_rank.a.value.size());
  const auto [least, most] = std::minmax_element(a.begin(), a.end());
  EXPECT_NEAR(*least, -0.125, 0.005);  // 1 / sqrt(64)
  EXPECT_NEAR(*most, 0.125, 0.005);
  EXPECT_NEAR(std::accumulate(a.begin(), a.end(), 0.0) / a.size(), 0, 0.01);
  EXPECT_EQ(distance(product(low_rank), std::vector<float>(96 * 64)), 0);
  std::vector<float> row(64);
  up.weight.dequantize_rows(5, 6, row.data());
  EXPECT_NEAR(low_rank.magnitude->value.data()[5],
              std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0)), 1e-5);
  const PeftAdapter rslora = make_adapter({.rank = 4, .alpha = 6, .use_rslora = true}, model->tensors());
  EXPECT_EQ(rslora.adapter->at(up.linear)->scale, 3.0f);
}

TEST(NewAdapter, RefusesNamesThatMeanNothing) {
  const auto model = test::load_tiny("none");
  const auto refusal = [&](const NewAdapter& wanted) {
    return test::refusal([&] { make_adapter(wanted, model->tensors()); });
  };
  EXPECT_THAT(refusal({.target = {"q_proj", "v_porj"}}),
              HasSubstr("no linear map 'v_porj' (did you mean 'v_proj'?); it has down_proj, gate_proj, k_proj"));
  EXPECT_THAT(refusal({.target = {"lm_head"}}), HasSubstr("'lm_head' is no linear map that an adapter can be put on"));
  EXPECT_THAT(refusal({.additional_target = {"embed"}}), HasSubstr("(did you mean 'embed_tokens'?)"));
  EXPECT_THAT(refusal({.rank = 0}), HasSubstr("lora_rank is 0"));
  EXPECT_THAT(refusal({.rank = 65, .pissa_iterations = -1}), HasSubstr("rank 65 is more than"));
}

TEST(Pissa, TakesWhatPeftTakes) {
  const auto model = test::load_tiny("none");
  const PeftAdapter peft = read_adapter(test::kPeftAdapters / "pissa", model->tensors());
  const PeftAdapter exact = make_adapter(
      {.rank = 4, .alpha = 8, .target = {"k_proj", "down_proj"}, .pissa_iterations = -1}, model->tensors());
  int compared = 0;
  for (const std::shared_ptr<ModelTensor>& tensor : model->tensors()) {
    const LowRank* reference = peft.adapter->at(tensor->linear);
    if (!reference) continue;
    ++compared;
    const LowRank& ours = *exact.adapter->at(tensor->linear);
    EXPECT_LT(distance(product(ours), product(*reference)), 1e-4) << tensor->name;
    // Each factor has the roots of the singular values: A A^T = B^T B.
    EXPECT_NEAR(
        row_lengths(Weight::from_values(1, ours.a.value.dim(1), {ours.a.value.row(0), ours.a.value.row(1)})).data()[0],
        row_lengths(
            Weight::from_values(1, reference->a.value.dim(1), {reference->a.value.row(0), reference->a.value.row(1)}))
            .data()[0],
        1e-4);
    // As it begins, the whole is W.
    const Weight residual = merged(tensor->weight, *exact.taken->at(tensor->linear));
    std::vector<float> whole(tensor->weight.out() * tensor->weight.in()), base(whole.size());
    merged(residual, ours).dequantize_rows(0, residual.out(), whole.data());
    tensor->weight.dequantize_rows(0, residual.out(), base.data());
    EXPECT_LT(distance(whole, base), 1e-5) << tensor->name;
  }
  EXPECT_EQ(compared, 4);
}

TEST(Pissa, TheFastOneComesClose) {
  const auto model = test::load_tiny("none");
  const ModelTensor& tensor = *test::tensor_of(model->tensors(), "model.layers.0.mlp.down_proj.weight");
  std::vector<float> base(64 * 96);
  tensor.weight.dequantize_rows(0, 64, base.data());
  const auto rest = [&](int iterations) {
    Factors factors = principal_factors(tensor, 8, 2, iterations, /*seed=*/1);
    return distance(product({.a = {"", factors.a, {}}, .b = {"", factors.b, {}}, .scale = 2}), base);
  };
  const double best = rest(-1);
  EXPECT_GE(rest(16), best * (1 - 1e-6));
  EXPECT_LT(rest(16), best * 1.01);  // random matrices have no gap in their spectrum: the hardest case
  EXPECT_GT(rest(0), best * 1.01);
}

TEST(Pissa, PlainLoraOfTwiceTheRankSaysTheSame) {
  const auto model = test::load_tiny("none");
  for (const bool rslora : {false, true}) {
    PeftAdapter pissa = make_adapter(
        {.rank = 2, .alpha = 6, .target = {"o_proj"}, .use_rslora = rslora, .pissa_iterations = 4, .seed = 7},
        model->tensors());
    const test::TemporaryDirectory as_it_is;
    write_adapter(as_it_is.path(), pissa.config, *pissa.adapter, model->tensors());
    const PeftAdapter again = read_adapter(as_it_is.path(), model->tensors());
    for (size_t id = 0; id < pissa.taken->low_ranks.size(); ++id) {
      if (const LowRank* taken = pissa.taken->low_ranks[id].get()) {
        EXPECT_EQ(distance(product(*taken), product(*again.taken->low_ranks[id])), 0) << "what is read is what trained";
      }
    }
    for (const auto& low_rank : pissa.adapter->low_ranks)  // as if trained
      if (low_rank) low_rank->a.value.data()[0] += 1, low_rank->b.value.data()[1] -= 1;
    const test::TemporaryDirectory directory;
    const PeftAdapter plain = without_pissa(pissa);
    write_adapter(directory.path(), plain.config, *plain.adapter, model->tensors());
    const PeftAdapter read = read_adapter(directory.path(), model->tensors());
    EXPECT_EQ(read.config.rank, 4);
    EXPECT_EQ(read.taken, nullptr);
    const ModelTensor& tensor = *test::tensor_of(model->tensors(), "model.layers.1.self_attn.o_proj.weight");
    std::vector<float> expected(64 * 64), found(64 * 64);
    merged(merged(tensor.weight, *pissa.taken->at(tensor.linear)), *pissa.adapter->at(tensor.linear))
        .dequantize_rows(0, 64, expected.data());
    merged(tensor.weight, *read.adapter->at(tensor.linear)).dequantize_rows(0, 64, found.data());
    EXPECT_LT(distance(found, expected), 1e-4);
  }
}

}  // namespace
}  // namespace hearth
