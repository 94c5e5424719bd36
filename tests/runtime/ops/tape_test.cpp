#include "runtime/tape.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/kernels/half.h"
#include "runtime/ops/ops.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

Parameter parameter_of(std::initializer_list<float> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return {"p", Tensor::from(shape, values), Tensor::zeros(shape)};
}

TEST(Tape, RecordsNothingWithoutRecording) {
  Parameter p = parameter_of({1, 2});
  const Tensor y = ops::scale(Tape::leaf(p), 2.0f);
  EXPECT_FALSE(y.needs_grad());
  EXPECT_FALSE(Tape::recording());
}

TEST(Tape, RecordsOnlyWhatDependsOnALeaf) {
  Parameter p = parameter_of({1, 2});
  Tape tape;
  const Tape::Recording on(tape);
  const Tensor constant = ops::scale(p.value, 2.0f);
  EXPECT_FALSE(constant.needs_grad());
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_TRUE(ops::add(constant, Tape::leaf(p)).needs_grad());
  EXPECT_EQ(tape.size(), 2u);
}

TEST(Tape, PausedHoldsRecordingBackAndGivesItBack) {
  Parameter p = parameter_of({1, 2});
  Tape tape;
  const Tape::Recording on(tape);
  {
    const Tape::Paused paused;
    EXPECT_FALSE(Tape::recording());
    EXPECT_FALSE(ops::scale(Tape::leaf(p), 2.0f).needs_grad());
  }
  EXPECT_TRUE(Tape::recording());
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Tape, AddsToAParametersGradientUntilItsOwnerZeroesIt) {
  Parameter p = parameter_of({1, 2});
  for (int step = 1; step <= 3; ++step) {
    Tape tape;
    const Tape::Recording on(tape);
    tape.backward(ops::sum(ops::scale(Tape::leaf(p), 3.0f)));
    EXPECT_EQ(p.grad.data()[0], 3.0f * static_cast<float>(step));
  }
}

TEST(Tape, MakesAMissingGradient) {
  Parameter p = parameter_of({1, 2});
  p.grad = {};
  Tape tape;
  const Tape::Recording on(tape);
  tape.backward(ops::sum(Tape::leaf(p)));
  EXPECT_EQ(p.grad.data()[1], 1.0f);
}

TEST(Tape, LetsGoOfActivationsInTheSweep) {
  Parameter p = parameter_of({1, 2});
  Tape tape;
  const Tape::Recording on(tape);
  tape.backward(ops::sum(ops::multiply(Tape::leaf(p), Tape::leaf(p))));
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_EQ(p.grad.data()[0], 2.0f);
}

// u's gradient goes to a and b as one buffer, to which v's share of a is added.
TEST(Tape, GradientsThatShareABufferPartWhenOneIsAddedTo) {
  Parameter p = parameter_of({1, 2}), q = parameter_of({3, 4});
  Tape tape;
  const Tape::Recording on(tape);
  const Tensor a = Tape::leaf(p), b = Tape::leaf(q);
  const Tensor v = ops::scale(a, 5.0f), u = ops::add(a, b);
  tape.backward(ops::sum(ops::add(ops::add(u, u), v)));
  EXPECT_EQ(p.grad.data()[0], 7.0f);
  EXPECT_EQ(q.grad.data()[0], 2.0f);
}

TEST(Tape, AFirstGradientIsWrittenAndTheNextAdded) {
  Parameter p = parameter_of({2});
  Tape tape;
  const Tape::Recording on(tape);
  Tensor y = ops::scale(Tape::leaf(p), 1.0f);
  const Tensor x = y;
  tape.record(y, [x](const Tensor&, Tape& t) {
    EXPECT_FALSE(t.sum(x).adds);
    t.sum(x).values[0] = 3;
    EXPECT_TRUE(t.sum(x).adds);
    EXPECT_FALSE(t.sum(Tensor({1})));
  });
  tape.backward(y);
  EXPECT_EQ(p.grad.data()[0], 3.0f);
}

TEST(Tape, RefusesALossThatIsNotOneRecordedValue) {
  Parameter p = parameter_of({1, 2});
  Tape tape;
  const Tape::Recording on(tape);
  EXPECT_THROW(tape.backward(Tape::leaf(p)), Error);
  EXPECT_THROW(tape.backward(Tensor::from({1}, {1.0f})), Error);
}

TEST(Tape, IsEmptyAfterABackwardFunctionThrew) {
  Parameter p = parameter_of({1});
  Tape tape;
  const Tape::Recording on(tape);
  Tensor y = ops::sum(Tape::leaf(p));
  tape.record(y, [](const Tensor&, Tape&) { throw internal_error("no"); });
  EXPECT_THROW(tape.backward(y), Error);
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_TRUE(Tape::recording());
}

TEST(Tape, RefusesAGradientOfAnotherShape) {
  Parameter p = parameter_of({1, 2});
  p.grad = Tensor::zeros({3});
  Tape tape;
  const Tape::Recording on(tape);
  EXPECT_THROW(Tape::leaf(p), Error);
}

// Of a norm and a gated product of it, whose outputs are made again: bits do not change by that.
Tensor gradient_of_gate(const Tensor& x, Tape& tape) {
  Parameter p{"p", x, Tensor::zeros(x.shape())};
  const Tape::Recording on(tape);
  const Tensor normed = ops::rms_norm(Tape::leaf(p), random_tensor({x.dim(-1)}, 3), 1e-5f);
  const Tensor y = ops::gated(normed, ops::activate(normed, Activation::kSilu), Activation::kSilu);
  tape.backward(ops::sum(ops::multiply(y, random_tensor(y.shape(), 4))));
  return p.grad;
}

TEST(Tape, KeepsWhatCannotBeMadeAgainOnly) {
  Parameter p{"p", random_tensor({70, 48}, 1), {}};
  Tape tape;
  const Tape::Recording on(tape);
  const Tensor x = Tape::leaf(p), y = ops::rms_norm(x, random_tensor({48}, 3), 1e-5f);
  EXPECT_EQ(tape.keep(x).value().data(), x.data());
  const Kept made = tape.keep(y);
  EXPECT_TRUE(made.rows().is_made());
  const Tensor again = made.value();
  EXPECT_NE(again.data(), y.data());
  EXPECT_TRUE(std::equal(y.data(), y.data() + y.size(), again.data()));
  const KeptRows rows(made, 65, 70);
  EXPECT_TRUE(std::equal(rows.data(), rows.data() + 5 * 48, y.row(65)));
}

TEST(Tape, InBf16KeepsRoundedValues) {
  Parameter p{"p", random_tensor({7, 5}, 1), {}};
  Tape tape(KeptPrecision::kBFloat16);
  const Tape::Recording on(tape);
  const Tensor x = Tape::leaf(p);
  const Kept kept = tape.keep(x);
  const Tensor value = kept.value();
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(value.data()[i], bf16_to_f32(f32_to_bf16(x.data()[i])));
  EXPECT_EQ(kept.place().shape(), x.shape());
  EXPECT_TRUE(kept.place().needs_grad());
}

TEST(Tape, InBf16GradientsAreCloseToTheExactOnes) {
  const Tensor x = random_tensor({70, 48}, 1);
  Tape exact, rounded(KeptPrecision::kBFloat16);
  const Tensor a = gradient_of_gate(x, exact), b = gradient_of_gate(x, rounded);
  double difference = 0, length = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a.data()[i]} - b.data()[i], 2);
    length += std::pow(double{a.data()[i]}, 2);
  }
  EXPECT_GT(difference, 0);
  EXPECT_LT(std::sqrt(difference / length), 1e-2);
}

}  // namespace
}  // namespace hearth
