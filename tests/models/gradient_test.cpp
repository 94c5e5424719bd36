// Every architecture trains: what the tape says of the loss of a tiny model is what torch says, and what the loss does.
// The inputs are the embeddings of three rows, which every layer's attention, feed-forward and router come behind.
// Values, directions and torch's gradient: `gradient` of tests/golden/tiny.py.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "runtime/tape.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

constexpr int kDirections = 3;
constexpr float kStep = 2e-3f;  // tiny.py has made sure that no row changes its experts within twice of it

// The next values of `uniforms` in tiny.py.
Tensor uniforms(const Shape& shape, Random& random) {
  Tensor x(shape);
  for (size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(2 * random.uniform() - 1);
  return x;
}

Tensor moved(const Tensor& x, const Tensor& direction, float step) { return ops::add(x, ops::scale(direction, step)); }

double product(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a.data()[i]) * b.data()[i];
  return sum;
}

// The short prompt's log-probabilities where some rows' embeddings are given.
class EmbeddedPrompt {
 public:
  explicit EmbeddedPrompt(const LanguageModel& model)
      : model_(model), ids_(test::tiny_models()["prompts"]["short"].get<std::vector<TokenId>>()) {}

  Shape shape() const { return {static_cast<int64_t>(kRows.size()), model_.dims().hidden_size}; }

  Tensor logprobs(const Tensor& values) const {
    Batch batch = test::batch_of(ids_, 0, static_cast<int>(ids_.size()));
    batch.embedded = {kRows, values};
    std::vector<TokenId> targets(ids_.begin() + 1, ids_.end());
    targets.push_back(-1);
    return ops::token_logprobs(model_.forward(batch), model_.output_head(), targets);
  }

  double loss(const Tensor& values) const {
    const Tensor found = logprobs(values);
    double sum = 0;
    for (size_t i = 0; i < found.size(); ++i) sum += found.data()[i];
    return sum;
  }

  Tensor gradient(const Tensor& values) const {
    Parameter parameter{"embeddings", values, {}};
    Tape tape;
    const Tape::Recording on(tape);
    tape.backward(ops::sum(logprobs(Tape::leaf(parameter))));
    return parameter.grad;
  }

 private:
  inline static const std::vector<int> kRows = {5, 18, 30};
  const LanguageModel& model_;
  std::vector<TokenId> ids_;
};

// Tolerances go by the gradient's norm: a direction may happen to be level.
void expect_gradient_of_torch(const LanguageModel& model, const nlohmann::json& expected) {
  constexpr double kOfTorch = 1e-4, kOfDifferences = 5e-3;
  const EmbeddedPrompt prompt(model);
  Random random(expected["seed"].get<uint64_t>());
  const Tensor values = uniforms(prompt.shape(), random);
  const Tensor gradient = prompt.gradient(values);
  const double norm = expected["norm"];
  EXPECT_NEAR(std::sqrt(product(gradient, gradient)), norm, kOfTorch * norm);
  for (int i = 0; i < kDirections; ++i) {
    const Tensor direction = uniforms(prompt.shape(), random);
    const double slope = product(gradient, direction);
    EXPECT_NEAR(slope, expected["projections"][i].get<double>(), kOfTorch * norm) << "direction " << i;
    const double rise = prompt.loss(moved(values, direction, kStep)) - prompt.loss(moved(values, direction, -kStep));
    EXPECT_NEAR(slope, rise / (2 * kStep), kOfDifferences * norm) << "direction " << i;
  }
}

TEST(TinyModelGradient, IsThatOfTorchAndOfTheLoss) {
  for (const nlohmann::json& one : test::tiny_models()["cases"]) {
    if (!one["weights"].is_string()) continue;
    SCOPED_TRACE(one["name"].get<std::string>());
    const test::TemporaryDirectory directory;
    test::make_directory(one, directory.path());
    const LoadedModel loaded = load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32});
    expect_gradient_of_torch(*loaded.model, one["gradient"]);
  }
}

}  // namespace
}  // namespace hearth
