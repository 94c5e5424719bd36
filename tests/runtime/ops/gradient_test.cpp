// Every op's recorded gradient against finite differences.
#include <array>

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
  for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu}) {
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
  Batch of_picture = batch;
  for (int i = 0; i < 7; ++i) of_picture.grid_positions.push_back({i / 4, i / 2, i % 2});
  rope.sections = {2, 3, 5};
  expect_gradient([&](const Tensor& t) { return ops::rope(t, of_picture, rope); }, random_tensor({7, 48}, 1));
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

TEST(Gradient, AttentionThatIsNotCausal) {
  const GradientCheck fewer{.most_elements = 40};
  const Batch batch = batch_of({70, 1, 9});
  for (const float softcap : {0.0f, 0.8f}) {
    const ops::AttentionSpec spec{4, 2, 24, 0.3f, 0, softcap, false};
    const Tensor q = random_tensor({80, 96}, 1), k = random_tensor({80, 48}, 2), v = random_tensor({80, 48}, 3);
    expect_gradient([&](const Tensor& t) { return ops::attention(t, k, v, batch, 0, spec); }, q, fewer);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, t, v, batch, 0, spec); }, k, fewer);
    expect_gradient([&](const Tensor& t) { return ops::attention(q, k, t, batch, 0, spec); }, v, fewer);
  }
}

TEST(Gradient, CrossAttention) {
  const ops::CrossSegment segments[] = {{0, 5, 0, 70}, {5, 35, 70, 72}, {35, 36, 72, 80}};
  const ops::AttentionSpec spec{4, 2, 8, 0.3f, 0, 0, false};
  const Tensor q = random_tensor({36, 32}, 1), k = random_tensor({80, 16}, 2), v = random_tensor({80, 16}, 3);
  expect_gradient([&](const Tensor& t) { return ops::cross_attention(t, k, v, segments, spec); }, q);
  expect_gradient([&](const Tensor& t) { return ops::cross_attention(q, t, v, segments, spec); }, k);
  expect_gradient([&](const Tensor& t) { return ops::cross_attention(q, k, t, segments, spec); }, v);
}

TEST(Gradient, ReplaceRows) {
  const Tensor x = random_tensor({4, 5}, 1), values = random_tensor({2, 5}, 2);
  const std::vector<int> rows = {3, 1};
  expect_gradient([&](const Tensor& t) { return ops::replace_rows(t, rows, values); }, x);
  expect_gradient([&](const Tensor& t) { return ops::replace_rows(x, rows, t); }, values);
}

TEST(Gradient, JoinRows) {
  const Tensor a = random_tensor({3, 5}, 1), b = random_tensor({1, 5}, 2);
  expect_gradient([&](const Tensor& t) { return ops::join_rows(std::array{t, b}); }, a);
  expect_gradient([&](const Tensor& t) { return ops::join_rows(std::array{a, t, a}); }, b);
  expect_gradient([&](const Tensor& t) { return ops::join_rows(std::array{t, b, t}); }, a);
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

TEST(Gradient, ProjectToOne) {
  const Tensor x = random_tensor({5, 19}, 1), weight = random_tensor({1, 19}, 2), bias = random_tensor({1}, 3);
  expect_gradient([&](const Tensor& t) { return ops::project_to_one(t, weight, bias); }, x);
  expect_gradient([&](const Tensor& t) { return ops::project_to_one(x, t, bias); }, weight);
  expect_gradient([&](const Tensor& t) { return ops::project_to_one(x, weight, t); }, bias);
}

// Of the hidden states, and of the head's parameters as those of the projection that it is.
TEST(Gradient, Rewards) {
  const Tensor hidden = random_tensor({3, 19}, 1);
  ValueHead head{{"weight", random_tensor({1, 19}, 2), {}}, {"bias", random_tensor({1}, 3), {}}, 0.25f};
  expect_gradient([&](const Tensor& t) { return ops::rewards(t, head); }, hidden);
  head.weight.grad = head.bias.grad = {};
  recorded_gradient([&](const Tensor& t) { return ops::rewards(t, head); }, hidden, 5);
  const Tensor weight = head.weight.grad, bias = head.bias.grad, x = ops::scale(hidden, 4);
  const Tensor of_weight = recorded_gradient(
      [&](const Tensor& t) { return ops::project_to_one(x, t, head.bias.value); }, head.weight.value, 5);
  const Tensor of_bias = recorded_gradient(
      [&](const Tensor& t) { return ops::project_to_one(x, head.weight.value, t); }, head.bias.value, 5);
  for (size_t i = 0; i < weight.size(); ++i) EXPECT_EQ(weight.data()[i], of_weight.data()[i]) << i;
  EXPECT_EQ(bias.data()[0], of_bias.data()[0]);
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

TEST(Gradient, LinearWithAdapters) {
  const Tensor x = random_tensor({5, 24}, 1), a = random_tensor({3, 24}, 2, 0.3f), b = random_tensor({17, 3}, 3, 0.3f);
  const Tensor other_b = random_tensor({9, 3}, 4, 0.3f), bias = random_tensor({9}, 5);
  const Weight weight = random_weight(17, 24, 6), other = random_weight(9, 24, 7);
  // Rows 1 to 3 go through one adapter, row 4 through another of the first projection only.
  const auto joined = [&](const Tensor& x_, const Tensor& a_, const Tensor& b_, const Tensor& bias_) {
    const std::vector<ops::LowRankRows> first{{1, 4, a_, b_, 0.7f}, {4, 5, a, b, 2.0f}},
        second{{1, 4, a_, other_b, 1.5f}};
    const std::array projections{ops::Projection{&weight, nullptr, first}, ops::Projection{&other, &bias_, second}};
    const std::vector<Tensor> y = ops::linear(x_, projections);
    return ops::join_columns(y[0], y[1], 1);
  };
  expect_gradient([&](const Tensor& t) { return joined(t, a, b, bias); }, x);
  expect_gradient([&](const Tensor& t) { return joined(x, t, b, bias); }, a);
  expect_gradient([&](const Tensor& t) { return joined(x, a, t, bias); }, b);
  expect_gradient([&](const Tensor& t) { return joined(x, a, b, t); }, bias);
  // An output that nothing depends on has no gradient.
  expect_gradient(
      [&](const Tensor& t) {
        const std::vector<ops::LowRankRows> rows{{0, 5, t, b, 1.0f}}, unused{{0, 5, a, other_b, 1.0f}};
        const std::array projections{ops::Projection{&weight, nullptr, rows}, ops::Projection{&other, nullptr, unused}};
        return ops::linear(x, projections)[0];
      },
      a);
}

TEST(Gradient, TrainedLinear) {
  const Tensor x = random_tensor({5, 24}, 1), w = random_tensor({17, 24}, 2, 0.3f), bias = random_tensor({17}, 3);
  const Weight frozen = random_weight(17, 24, 4);
  expect_gradient([&](const Tensor& t) { return ops::linear(t, w, bias, frozen); }, x);
  expect_gradient([&](const Tensor& t) { return ops::linear(x, t, bias, frozen); }, w);
  expect_gradient([&](const Tensor& t) { return ops::linear(x, w, t, frozen); }, bias);
}

TEST(Gradient, TrainedEmbedding) {
  const std::vector<TokenId> ids{3, 0, 3};
  expect_gradient([&](const Tensor& t) { return ops::embedding(ids, t); }, random_tensor({4, 6}, 1));
}

TEST(Gradient, Dropout) {
  expect_gradient([](const Tensor& t) { return ops::dropout(t, 0.4f, 9); }, random_tensor({4, 33}, 1));
}

TEST(Gradient, AddBias) {
  const Tensor x = random_tensor({3, 5}, 1), bias = random_tensor({5}, 2);
  expect_gradient([&](const Tensor& t) { return ops::add_bias(t, bias); }, x);
  expect_gradient([&](const Tensor& t) { return ops::add_bias(x, t); }, bias);
}

TEST(Gradient, ScaleColumns) {
  const Tensor x = random_tensor({6, 5}, 1), factor = random_tensor({5}, 2), other = random_tensor({5}, 3);
  Tensor divisor({5});
  for (int i = 0; i < 5; ++i) divisor.data()[i] = 1.5f + 0.1f * i;
  const auto scaled = [&](const Tensor& x_, const Tensor& factor_) {
    const std::array scales{ops::ColumnScale{1, 3, factor_, divisor}, ops::ColumnScale{4, 5, other, divisor}};
    return ops::scale_columns(x_, scales);
  };
  expect_gradient([&](const Tensor& t) { return scaled(t, factor); }, x);
  expect_gradient([&](const Tensor& t) { return scaled(x, t); }, factor);
}

// Its gradients, of the input and of what it uses, are those of the same without it.
TEST(Gradient, Checkpoint) {
  const Tensor x = random_tensor({4, 6}, 1);
  Parameter w{"w", random_tensor({6, 6}, 2, 0.5f), {}};
  const Weight frozen = random_weight(6, 6, 3);
  const auto compute = [&](const Tensor& t) {
    return ops::activate(ops::linear(t, Tape::leaf(w), {}, frozen), Activation::kSilu);
  };
  expect_gradient([&](const Tensor& t) { return ops::checkpoint(compute, t); }, x);
  w.grad = {};
  const Tensor plain_x = recorded_gradient(compute, x, 5), plain = w.grad;
  w.grad = {};
  const Tensor again_x = recorded_gradient([&](const Tensor& t) { return ops::checkpoint(compute, t); }, x, 5);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(w.grad.data()[i], plain.data()[i]) << i;
  for (size_t i = 0; i < plain_x.size(); ++i) EXPECT_EQ(again_x.data()[i], plain_x.data()[i]) << i;
}

TEST(Gradient, MeanLogprobs) {
  const std::vector<TokenId> targets{2, -1, 0};
  for (const float softcap : {0.0f, 3.0f}) {
    const OutputHead head{random_weight(29, 16, 2), softcap};
    expect_gradient([&](const Tensor& t) { return ops::mean_logprobs(t, head, targets); }, random_tensor({3, 16}, 1));
  }
}

TEST(Gradient, TrainedHead) {
  const std::vector<TokenId> targets{2, -1, 0};
  const Tensor hidden = random_tensor({3, 16}, 1), values = random_tensor({29, 16}, 2, 0.3f);
  for (const float softcap : {0.0f, 3.0f}) {
    const auto tensor = std::make_shared<ModelTensor>();
    const OutputHead head{random_weight(29, 16, 2), softcap, tensor};
    tensor->trained = std::make_unique<Parameter>(Parameter{"head", values, {}});
    expect_gradient([&](const Tensor& t) { return ops::token_logprobs(t, head, targets); }, hidden);
    // The head's own gradient: through its parameter, whose value the differences move.
    tensor->trained->grad = {};
    Tape tape;
    {
      const Tape::Recording on(tape);
      tape.backward(ops::sum(ops::token_logprobs(hidden, head, targets)));
    }
    const auto loss = [&] { return ops::sum(ops::token_logprobs(hidden, head, targets)).data()[0]; };
    Parameter& parameter = *tensor->trained;
    for (size_t i = 0; i < values.size(); i += 37) {
      const float old = parameter.value.data()[i];
      parameter.value.data()[i] = old + 1e-2f;
      const double above = loss();
      parameter.value.data()[i] = old - 1e-2f;
      const double below = loss();
      parameter.value.data()[i] = old;
      EXPECT_NEAR(parameter.grad.data()[i], (above - below) / 2e-2, 2e-3) << i;
    }
  }
}

}  // namespace
}  // namespace hearth
