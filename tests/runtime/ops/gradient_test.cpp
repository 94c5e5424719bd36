// Every op's recorded gradient against finite differences.
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/support/gradient_check.h"

namespace hearth {
namespace {

Weight random_weight(int64_t out, int64_t in, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(out * in);
  for (float& v : values) v = 0.3f * random.normal();
  return Weight::from_values(out, in, values);
}

// Segments of these lengths, positions counting from zero in each.
Batch batch_of(std::initializer_list<int> lengths) {
  Batch batch;
  for (const int length : lengths) {
    const int begin = batch.tokens();
    for (int i = 0; i < length; ++i) {
      batch.token_ids.push_back(0);
      batch.positions.push_back(i);
    }
    batch.segments.push_back({.begin = begin, .end = begin + length});
  }
  return batch;
}

TEST(Gradient, Add) {
  const Tensor a = random_tensor({3, 5}, 1), b = random_tensor({3, 5}, 2);
  expect_gradient([&](const Tensor& t) { return ops::add(t, b); }, a);
  expect_gradient([&](const Tensor& t) { return ops::add(a, t); }, b);
}

TEST(Gradient, Multiply) {
  const Tensor a = random_tensor({3, 5}, 1), b = random_tensor({3, 5}, 2);
  expect_gradient([&](const Tensor& t) { return ops::multiply(t, b); }, a);
  expect_gradient([&](const Tensor& t) { return ops::multiply(a, t); }, b);
}

TEST(Gradient, Scale) {
  expect_gradient([](const Tensor& t) { return ops::scale(t, -1.7f); }, random_tensor({1, 19}, 1));
}

TEST(Gradient, Activations) {
  const Tensor gate = random_tensor({3, 17}, 1, 3.0f), up = random_tensor({3, 17}, 2);
  for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
    expect_gradient([&](const Tensor& t) { return ops::activate(t, f); }, gate);
    expect_gradient([&](const Tensor& t) { return ops::gated(t, up, f); }, gate);
    expect_gradient([&](const Tensor& t) { return ops::gated(gate, t, f); }, up);
  }
}

TEST(Gradient, RmsNorm) {
  const Tensor x = random_tensor({4, 33}, 1), weight = random_tensor({33}, 2);
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(t, weight, 1e-5f); }, x);
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(x, t, 1e-5f); }, weight);
  const Tensor of_head = random_tensor({11}, 3);  // three heads a row
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(t, of_head, 1e-5f); }, x);
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(x, t, 1e-5f); }, of_head);
  const Tensor of_each = random_tensor({3, 11}, 4);
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(t, of_each, 1e-5f); }, x);
  expect_gradient([&](const Tensor& t) { return ops::rms_norm(x, t, 1e-5f); }, of_each);
}

TEST(Gradient, LayerNorm) {
  const Tensor x = random_tensor({4, 33}, 1);
  for (const Shape& shape : {Shape{33}, Shape{11}, Shape{3, 11}}) {
    const Tensor weight = random_tensor(shape, 2), bias = random_tensor(shape, 3);
    expect_gradient([&](const Tensor& t) { return ops::layer_norm(t, weight, bias, 1e-5f); }, x);
    expect_gradient([&](const Tensor& t) { return ops::layer_norm(x, t, bias, 1e-5f); }, weight);
    expect_gradient([&](const Tensor& t) { return ops::layer_norm(x, weight, t, 1e-5f); }, bias);
    expect_gradient([&](const Tensor& t) { return ops::layer_norm(t, weight, {}, 1e-5f); }, x);
  }
}

TEST(Gradient, Columns) {
  const Tensor a = random_tensor({3, 10}, 1), b = random_tensor({3, 6}, 2), shared = random_tensor({3, 3}, 3);
  expect_gradient([&](const Tensor& t) { return ops::columns(t, 2, 1, 3); }, a);
  expect_gradient([&](const Tensor& t) { return ops::join_columns(t, b, 2); }, a);
  expect_gradient([&](const Tensor& t) { return ops::join_columns(a, t, 2); }, b);
  expect_gradient([&](const Tensor& t) { return ops::join_shared_columns(t, shared, 2); }, a);
  expect_gradient([&](const Tensor& t) { return ops::join_shared_columns(a, t, 2); }, shared);
}

TEST(Gradient, Linear) {
  const Tensor x = random_tensor({5, 24}, 1), bias = random_tensor({7}, 2);
  const Weight weight = random_weight(7, 24, 3);
  expect_gradient([&](const Tensor& t) { return ops::linear(t, weight, bias); }, x);
  expect_gradient([&](const Tensor& t) { return ops::linear(x, weight, t); }, bias);
}

TEST(Gradient, LinearOfSeveralProjections) {
  const Weight first = random_weight(9, 24, 1), second = random_weight(9, 24, 2);
  expect_gradient(
      [&](const Tensor& t) {
        const ops::Projection projections[] = {{&first}, {&second}};
        const std::vector<Tensor> y = ops::linear(t, projections);
        return ops::multiply(y[0], y[1]);
      },
      random_tensor({3, 24}, 3));
}

TEST(Gradient, Rope) {
  Rope rope;
  rope.head_dim = 24;
  rope.attention_factor = 1.3f;
  for (int i = 0; i < 10; ++i) rope.inverse_frequencies.push_back(std::pow(100.0f, -0.1f * static_cast<float>(i)));
  const Batch batch = batch_of({4, 3});
  for (const RopePairs pairs : {RopePairs::kHalves, RopePairs::kNeighbours}) {
    rope.pairs = pairs;
    expect_gradient([&](const Tensor& t) { return ops::rope(t, batch, rope); }, random_tensor({7, 48}, 1));
  }
}

TEST(Gradient, Attention) {
  for (const int head_dim : {8, 24, 32}) {
    const ops::AttentionSpec spec{4, 2, head_dim, 0.4f};
    const Batch batch = batch_of({20, 1, 9});
    const Tensor q = random_tensor({30, 4 * head_dim}, 1), k = random_tensor({30, 2 * head_dim}, 2),
                 v = random_tensor({30, 2 * head_dim}, 3);
    expect_gradient([&](const Tensor& t) { return ops::attention(t, k, v, batch, 0, spec); }, q);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, t, v, batch, 0, spec); }, k);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, k, t, batch, 0, spec); }, v);
  }
}

TEST(Gradient, AttentionOverSeveralSpansOfKeys) {
  const GradientCheck fewer{.most_elements = 24};
  const Batch batch = batch_of({140});
  const Tensor q = random_tensor({140, 24}, 1), k = random_tensor({140, 8}, 2), v = random_tensor({140, 8}, 3);
  for (const auto& [window, softcap] : {std::pair{0, 0.0f}, {70, 0.0f}, {30, 0.8f}}) {
    const ops::AttentionSpec spec{3, 1, 8, 0.25f, window, softcap};
    expect_gradient([&](const Tensor& t) { return ops::attention(t, k, v, batch, 0, spec); }, q, fewer);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, t, v, batch, 0, spec); }, k, fewer);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, k, t, batch, 0, spec); }, v, fewer);
  }
}

TEST(Gradient, ReplaceRows) {
  const Tensor x = random_tensor({4, 5}, 1), values = random_tensor({2, 5}, 2);
  const std::vector<int> rows = {3, 1};
  expect_gradient([&](const Tensor& t) { return ops::replace_rows(t, rows, values); }, x);
  expect_gradient([&](const Tensor& t) { return ops::replace_rows(x, rows, t); }, values);
}

TEST(Gradient, GatherRowsThatRepeat) {
  const std::vector<int> rows = {2, 0, 2};
  expect_gradient([&](const Tensor& t) { return ops::gather_rows(t, rows); }, random_tensor({3, 5}, 1));
}

TEST(Gradient, RouterWeights) {
  const Tensor x = random_tensor({3, 19}, 1);
  Tensor positive = random_tensor({3, 19}, 2);
  for (size_t i = 0; i < positive.size(); ++i) positive.data()[i] = std::abs(positive.data()[i]) + 0.1f;
  const std::vector<int> columns = {0, 18, 5, 5, 7, 2};
  expect_gradient([](const Tensor& t) { return ops::softmax(t); }, x);
  expect_gradient([](const Tensor& t) { return ops::sigmoid(t); }, x);
  expect_gradient([](const Tensor& t) { return ops::shares(t); }, positive);
  expect_gradient([&](const Tensor& t) { return ops::pick(t, columns, 2); }, x);
}

TEST(Gradient, Combine) {
  const std::vector<ops::ExpertRows> experts = {{{2, 0}, {0, 1}}, {{}, {}}, {{0, 1, 2}, {0, 1, 1}}};
  const Tensor first = random_tensor({2, 21}, 1), last = random_tensor({3, 21}, 2), weights = random_tensor({4, 2}, 3);
  const auto combine = [&](const Tensor& a, const Tensor& b, const Tensor& w) {
    const Tensor parts[] = {a, Tensor(), b};
    return ops::combine(parts, experts, w, 4);
  };
  expect_gradient([&](const Tensor& t) { return combine(t, last, weights); }, first);
  expect_gradient([&](const Tensor& t) { return combine(first, t, weights); }, last);
  expect_gradient([&](const Tensor& t) { return combine(first, last, t); }, weights);
}

TEST(Gradient, OutputHead) {
  const std::vector<TokenId> targets = {3, -1, 36, 0, 3};
  for (const float softcap : {0.0f, 1.5f}) {
    const OutputHead head{random_weight(37, 16, 1), softcap};
    const Tensor hidden = random_tensor({5, 16}, 2);
    expect_gradient([&](const Tensor& t) { return ops::token_logprobs(t, head, targets); }, hidden);
    expect_gradient([&](const Tensor& t) { return ops::logits(t, head); }, hidden);
  }
}

TEST(Gradient, SumAndMean) {
  expect_gradient([](const Tensor& t) { return ops::sum(t); }, random_tensor({3, 5}, 1));
  expect_gradient([](const Tensor& t) { return ops::mean(t); }, random_tensor({3, 5}, 1));
}

TEST(Gradient, OfTwoConsumersAddsUp) {
  const Tensor b = random_tensor({2, 9}, 2);
  expect_gradient([&](const Tensor& t) { return ops::add(ops::multiply(t, b), ops::multiply(t, t)); },
                  random_tensor({2, 9}, 1));
}

TEST(Gradient, OfAResidualLayerAddsUp) {
  const Weight gate = random_weight(20, 16, 1), up = random_weight(20, 16, 2), down = random_weight(16, 20, 3);
  const Tensor norm = random_tensor({16}, 4);
  expect_gradient(
      [&](const Tensor& t) {
        const Tensor h = ops::rms_norm(t, norm, 1e-5f);
        const ops::Projection projections[] = {{&gate}, {&up}};
        const std::vector<Tensor> y = ops::linear(h, projections);
        return ops::add(t, ops::linear(ops::gated(y[0], y[1], Activation::kSilu), down));
      },
      random_tensor({3, 16}, 5));
}

}  // namespace
}  // namespace hearth
