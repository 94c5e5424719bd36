#include "runtime/kernels/rows.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "runtime/kernels/half.h"
#include "runtime/kernels/rows_kernels.h"
#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"

namespace hearth::kernels {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kSizes[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 576};

std::vector<float> random_values(int64_t n, uint64_t seed, float deviation = 1.f) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = deviation * random.normal();
  return values;
}

// What every kernel that writes makes of random inputs, one after the other. Inputs and outputs end at guarded pages.
std::vector<float> outputs(Isa isa, int64_t n) {
  const RowKernels& k = row_kernels(isa);
  const GuardedBuffer<float> a(random_values(4 * n, 1, 2.f)), b(random_values(4 * n, 2)), c(random_values(4 * n, 3));
  const GuardedBuffer<float> y(random_values(4 * n, 4)), z(random_values(4 * n, 5));
  std::vector<float> all;
  const auto keep = [&](const GuardedBuffer<float>& x) { all.insert(all.end(), x.data(), x.data() + x.size()); };
  k.add_scaled(a.data(), 0.3f, 4 * n, y.data());
  keep(y);
  k.add_product(a.data(), b.data(), 0.7f, 4 * n, y.data());
  keep(y);
  for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu}) {
    k.gated_backward({a.data(), b.data(), c.data(), y.data(), z.data()}, f, 0, 4 * n);
    keep(y);
    keep(z);
    k.activate_backward(a.data(), c.data(), f, 4 * n, y.data());
    keep(y);
    k.gated(a.data(), b.data(), f, 4 * n, y.data());
    keep(y);
    k.activate(a.data(), f, 4 * n, y.data());
    keep(y);
  }
  const GuardedBuffer<float> inverse_rms(4), statistics(8), weight(random_values(2 * n, 6)),
      bias(random_values(2 * n, 7)), dweight(random_values(2 * n, 8));
  for (const int64_t groups : {1, 2}) {
    const Norm norm = {weight.data(), groups == 1 ? nullptr : bias.data(), 1e-5f, n, groups};
    k.rms_norm(a.data(), norm, 0, 4, z.data(), inverse_rms.data());
    keep(z);
    keep(inverse_rms);
    k.rms_norm_backward({a.data(), c.data(), inverse_rms.data(), y.data(), nullptr, nullptr, 4}, norm, 0, 4);
    keep(y);
    k.layer_norm(a.data(), norm, 0, 4, z.data(), statistics.data());
    keep(z);
    keep(statistics);
    const NormGradient gradient = {a.data(), c.data(), statistics.data(), y.data(), dweight.data(), nullptr, 4};
    k.layer_norm_backward(gradient, norm, 0, 4);
    k.layer_norm_weight(gradient, norm, 0, n);
    keep(y);
    keep(dweight);
  }
  k.add(a.data(), b.data(), 4 * n, y.data());
  keep(y);
  k.multiply(a.data(), b.data(), 4 * n, y.data());
  keep(y);
  k.scale(a.data(), 1.7f, 4 * n, y.data());
  keep(y);
  const GuardedBuffer<uint16_t> halves(static_cast<size_t>(4 * n));
  k.round_bf16(a.data(), 4 * n, halves.data());
  k.widen_bf16(halves.data(), 4 * n, y.data());
  keep(y);
  for (int64_t i = 0; i < 4 * n; ++i) EXPECT_EQ(halves.data()[i], f32_to_bf16(a.data()[i]));
  k.softcap(y.data(), 1.3f, 4 * n);
  keep(y);
  k.softcap_slope(y.data(), 1.3f, 4 * n, z.data());
  keep(z);
  k.sigmoid(a.data(), 4 * n, y.data());
  keep(y);
  k.sigmoid_backward(y.data(), c.data(), 4 * n, z.data());
  keep(z);
  const GuardedBuffer<float> moment(random_values(4 * n, 9)), mean_square(std::vector<float>(4 * n, 0.3f));
  k.adamw({a.data(), moment.data(), mean_square.data(), z.data(), 0.9f, 0.1f, 0.99f, 0.01f, 0.4f, 1e-6f, 0.97f, 0.02f},
          0, 4 * n);
  keep(moment);
  keep(mean_square);
  keep(z);
  k.shares(y.data(), 4 * n, z.data());
  keep(z);
  k.shares_backward(y.data(), c.data(), 4 * n, z.data());
  keep(z);
  k.softmax(a.data(), 4 * n, y.data());
  keep(y);
  k.softmax_backward(y.data(), c.data(), 4 * n, z.data());
  keep(z);
  all.push_back(k.dot(a.data(), c.data(), 4 * n));
  const float log_sum = k.log_sum_exp(a.data(), 4 * n);
  all.push_back(log_sum);
  all.push_back(static_cast<float>(k.argmax(a.data(), 4 * n)));
  k.scaled_softmax(y.data(), log_sum, 0.5f, 4 * n);
  keep(y);
  const ExpSums sums = k.exp_sums(z.data(), log_sum, 4 * n);
  keep(z);
  all.insert(all.end(), {sums.squares, sums.products, sums.logits, sums.largest});
  return all;
}

TEST(Rows, EveryInstructionSetGivesTheSameBits) {
  for (const int64_t n : kSizes) {
    const std::vector<float> expected = outputs(Isa::kScalar, n);
    for (const Isa isa : testable_isas()) EXPECT_EQ(outputs(isa, n), expected) << to_string(isa) << " " << n;
  }
}

TEST(Rows, SumOfSquaresIsTakenInRanges) {
  const std::vector<float> x = random_values(3 * 4096 + 5, 1);
  double expected = 0;
  for (const float v : x) expected += static_cast<double>(v) * v;
  // Of a range 64 squares a lane are added in f32: at most 64 roundings of 2^-24.
  EXPECT_NEAR(sum_of_squares(x.data(), static_cast<int64_t>(x.size())) / expected, 1, 64 * 0x1p-24);
  EXPECT_EQ(sum_of_squares(x.data(), 0), 0);
}

TEST(Rows, RotationGivesTheSameBitsOnEveryInstructionSet) {
  for (const int64_t pairs : {1, 4, 8, 12, 16, 32, 64}) {
    for (const int64_t extra : {0, 8}) {
      const int64_t heads = 3, rows = 2, head_dim = 2 * pairs + extra, n = rows * heads * head_dim;
      for (const bool neighbours : {false, true}) {
        const int64_t angles = rows * pairs * (neighbours ? 2 : 1);
        const GuardedBuffer<float> x(random_values(n, 1)), cosines(random_values(angles, 2)),
            sines(random_values(angles, 3));
        const Rotation rotation = {cosines.data(), sines.data(), pairs, neighbours, heads, head_dim};
        std::vector<float> forward, backward;
        for (const Isa isa : testable_isas()) {
          const GuardedBuffer<float> y(n), dx(random_values(n, 4));
          row_kernels(isa).rotate(x.data(), rotation, 0, rows, y.data());
          row_kernels(isa).rotate_backward(x.data(), rotation, 0, rows, dx.data());
          if (isa == Isa::kScalar) {
            forward.assign(y.data(), y.data() + n);
            backward.assign(dx.data(), dx.data() + n);
          }
          EXPECT_EQ(std::vector<float>(y.data(), y.data() + n), forward) << to_string(isa) << " " << pairs;
          EXPECT_EQ(std::vector<float>(dx.data(), dx.data() + n), backward) << to_string(isa) << " " << pairs;
        }
      }
    }
  }
}

TEST(Rows, ExpIsWithinOneUnitInTheLastPlace) {
  std::vector<float> x;
  for (float v = -87.f; v <= 88.f; v += 0.00107f) x.push_back(v);
  for (const Isa isa : testable_isas()) {
    std::vector<float> y = x;
    row_kernels(isa).scaled_softmax(y.data(), 0.f, 1.f, static_cast<int64_t>(y.size()));
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp(static_cast<double>(x[i]));
      const auto nearest = static_cast<float>(exact);
      worst = std::max(worst, std::abs(y[i] - exact) / (std::nextafter(nearest, kInfinity) - nearest));
    }
    EXPECT_LE(worst, 1.0) << to_string(isa);
  }
}

TEST(Rows, ExpHasExactEnds) {
  for (const Isa isa : testable_isas()) {
    std::vector<float> y = {0.f, -0.f, -kInfinity, -88.f, -1e30f, kInfinity, kNan};
    row_kernels(isa).scaled_softmax(y.data(), 0.f, 1.f, static_cast<int64_t>(y.size()));
    EXPECT_EQ(std::vector<float>(y.begin(), y.end() - 1), (std::vector<float>{1, 1, 0, 0, 0, kInfinity}));
    EXPECT_TRUE(std::isnan(y.back()));
  }
}

// The largest error of kernel(x), over `size(exact)`, on a dense grid and near 0.
template <class Kernel, class Exact, class Size>
double worst_error(double from, double to, Kernel kernel, Exact exact, Size size) {
  std::vector<float> x;
  for (double v = from; v <= to; v += 0.000311) x.push_back(static_cast<float>(v));
  for (float v = 1e-30f; v < 0.1f; v *= 1.7f) x.insert(x.end(), {v, -v});
  std::vector<float> y = x;
  kernel(y);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(y[i] - exact(static_cast<double>(x[i]))) / size(exact(static_cast<double>(x[i]))));
  return worst;
}

TEST(Rows, TanhHasASmallRelativeError) {
  for (const Isa isa : testable_isas()) {
    const auto kernel = [&](std::vector<float>& x) {
      row_kernels(isa).softcap(x.data(), 1.f, static_cast<int64_t>(x.size()));
    };
    const auto exact = [](double x) { return std::tanh(x); };
    EXPECT_LE(worst_error(-12, 12, kernel, exact, [](double y) { return std::abs(y); }), 3.6e-7) << to_string(isa);
    std::vector<float> ends = {0.f, kInfinity, -kInfinity, 1e30f, kNan};
    kernel(ends);
    EXPECT_EQ(std::vector<float>(ends.begin(), ends.end() - 1), (std::vector<float>{0, 1, -1, 1}));
    EXPECT_TRUE(std::isnan(ends.back()));
  }
}

// x (1 + erf(x / sqrt 2)) / 2 and its like, against libm in double; below -4 their size is that of x times the error of
// erf near 1.
TEST(Rows, ActivationsMatchTheirDefinitions) {
  const auto gelu = [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); };
  const auto gelu_tanh = [](double x) {
    return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
  const auto quick_gelu = [](double x) { return x / (1 + std::exp(-1.702 * x)); };
  const auto absolute = [](double y) { return std::max(1.0, std::abs(y)); };
  for (const Isa isa : testable_isas()) {
    const auto kernel = [&](Activation f) {
      return [&, f](std::vector<float>& x) {
        const std::vector<float> in = x;
        row_kernels(isa).activate(in.data(), f, static_cast<int64_t>(x.size()), x.data());
      };
    };
    EXPECT_LE(worst_error(-20, 20, kernel(Activation::kSilu), silu, absolute), 3e-7) << to_string(isa);
    EXPECT_LE(worst_error(-20, 20, kernel(Activation::kGelu), gelu, absolute), 3e-7) << to_string(isa);
    EXPECT_LE(worst_error(-20, 20, kernel(Activation::kGeluTanh), gelu_tanh, absolute), 3e-7) << to_string(isa);
    EXPECT_LE(worst_error(-20, 20, kernel(Activation::kQuickGelu), quick_gelu, absolute), 3e-7) << to_string(isa);
    for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu}) {
      std::vector<float> ends = {0.f, 1e13f, -1e13f, kInfinity, kNan};
      kernel(f)(ends);
      EXPECT_EQ(std::vector<float>(ends.begin(), ends.end() - 1), (std::vector<float>{0, 1e13f, 0, kInfinity}));
      EXPECT_TRUE(std::isnan(ends.back()));
    }
  }
}

TEST(Rows, LogSumExpMatchesTheDefinitionAndDoesNotOverflow) {
  for (const int64_t n : {1, 15, 16, 17, 1000, 49152}) {
    std::vector<float> x = random_values(n, 6, 4.f);
    for (const float shift : {0.f, 1000.f, -1000.f}) {
      std::vector<float> moved = x;
      for (float& v : moved) v += shift;
      long double sum = 0;
      for (const float v : moved) sum += std::exp(static_cast<long double>(v) - shift);
      const double expected = shift + static_cast<double>(std::log(sum));
      for (const Isa isa : testable_isas()) {
        const float found = row_kernels(isa).log_sum_exp(moved.data(), n);
        EXPECT_NEAR(found, expected, 2e-6 + 1e-7 * std::abs(expected)) << to_string(isa) << " " << n;
      }
    }
  }
}

TEST(Rows, LogSumExpOfNanIsNan) {
  for (const Isa isa : testable_isas()) {
    for (const size_t at : {0, 5, 16, 36}) {
      std::vector<float> x = random_values(37, 6);
      x[at] = kNan;
      EXPECT_TRUE(std::isnan(row_kernels(isa).log_sum_exp(x.data(), 37))) << to_string(isa) << " " << at;
    }
  }
}

TEST(Rows, ArgmaxIsTheFirstOfTheLargestAndNeverNan) {
  for (const Isa isa : testable_isas()) {
    const auto argmax = [&](std::vector<float> x) {
      const GuardedBuffer<float> guarded{x};
      return row_kernels(isa).argmax(guarded.data(), static_cast<int64_t>(x.size()));
    };
    EXPECT_EQ(argmax({-3.f}), 0);
    EXPECT_EQ(argmax({-3.f, -2.f, -2.f}), 1);
    EXPECT_EQ(argmax({kNan, -5.f, kNan}), 1);
    EXPECT_EQ(argmax({kNan, kNan}), 0);
    EXPECT_EQ(argmax({-kInfinity, kInfinity}), 1);
    for (const size_t at : {0, 15, 16, 63, 64, 99}) {
      std::vector<float> x(100, 1.f);
      x[at] = 2.f;
      EXPECT_EQ(argmax(x), at) << to_string(isa);
    }
  }
}

TEST(Rows, CutsIntoThreadsLeaveNothingOut) {
  const int64_t rows = 173, n = 1000;
  const std::vector<float> x = random_values(rows * n, 8), w = random_values(n, 9);
  std::vector<float> y(rows * n), row(n), columns(n, 1.f);
  const Norm norm = {w.data(), nullptr, 1e-6f, n, 1};
  rms_norm(x.data(), norm, rows, y.data(), nullptr);
  for (int64_t r = 0; r < rows; ++r) {
    rms_norm(x.data() + r * n, norm, 1, row.data(), nullptr);
    EXPECT_EQ(std::vector<float>(y.begin() + r * n, y.begin() + (r + 1) * n), row) << r;
  }
  add_columns(x.data(), rows, n, columns.data());
  for (int64_t i = 0; i < n; ++i) {
    float expected = 1.f;
    for (int64_t r = 0; r < rows; ++r) expected += x[r * n + i];
    EXPECT_EQ(columns[i], expected) << i;
  }
}

}  // namespace
}  // namespace hearth::kernels
