#include "runtime/kernels/matmul.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <omp.h>

#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth::kernels {
namespace {

// A random weight with its dequantised values.
struct TestWeight {
  TestWeight(Format format, int64_t out, int64_t in, uint64_t seed, bool pack_it)
      : rows(random_rows(format, out, in, seed)), values(static_cast<size_t>(out * in)) {
    dequantize(format, rows.data(), out * in, values.data());
    if (pack_it && can_pack(format, in)) packed = pack(format, out, in, rows.data());
    view = {format, out, in, rows.data(), packed.get()};
  }
  std::vector<std::byte> rows;
  std::vector<float> values;  // [out, in]
  std::unique_ptr<PackedWeight> packed;
  WeightView view;
};

std::vector<float> multiply(Isa isa, const std::vector<float>& x, int64_t rows, const WeightView& w,
                            const float* bias = nullptr) {
  std::vector<float> y(static_cast<size_t>(rows * w.out), std::numeric_limits<float>::quiet_NaN());
  const Product product = {w, bias, y.data()};
  matmul(x.data(), rows, {&product, 1}, isa);
  return y;
}

std::vector<float> multiply_backward(Isa isa, const std::vector<float>& dy, int64_t rows, const WeightView& w,
                                     float initial) {
  std::vector<float> dx(static_cast<size_t>(rows * w.in), initial);
  matmul_backward(dy.data(), rows, w, dx.data(), isa);
  return dx;
}

void expect_bit_equal(const std::vector<float>& a, const float* b, const char* what) {
  ASSERT_EQ(std::memcmp(a.data(), b, a.size() * sizeof(float)), 0) << what;
}

struct Size {
  int64_t rows, out, in;
};
std::vector<Size> sizes(Format format) {
  if (info(format).block_size == 256) return {{1, 16, 256}, {5, 33, 512}, {20, 17, 768}};
  std::vector<Size> all = {{1, 1, 32}, {3, 7, 64}, {17, 50, 576}, {13, 16, 576}};
  if (info(format).block_size == 1) all.push_back({4, 21, 45});
  return all;
}

TEST(Matmul, IsTheProductWithTheDequantizedWeight) {
  for (const Isa isa : testable_isas()) {
    for (const Format format : kAllFormats) {
      for (const bool packed : {false, true}) {
        for (const Size& size : sizes(format)) {
          const TestWeight w(format, size.out, size.in, 1, packed);
          if (packed && !w.packed) continue;
          const std::vector<float> x = random_values(size.rows * size.in, 2), bias = random_values(size.out, 3);
          const std::vector<float> y = multiply(isa, x, size.rows, w.view, bias.data());
          // Of the sum of |terms|. K formats: scales rounded to 11 bits; others: 16-bit activations; exact path: f32
          // additions.
          const double tolerance = !packed ? 1e-6 : info(format).block_size == 256 ? 6e-4 : 1e-4;
          for (int64_t r = 0; r < size.rows; ++r) {
            for (int64_t o = 0; o < size.out; ++o) {
              double sum = bias[static_cast<size_t>(o)], magnitude = std::abs(sum);
              for (int64_t i = 0; i < size.in; ++i) {
                const double term = static_cast<double>(x[static_cast<size_t>(r * size.in + i)]) *
                                    w.values[static_cast<size_t>(o * size.in + i)];
                sum += term;
                magnitude += std::abs(term);
              }
              ASSERT_NEAR(y[static_cast<size_t>(r * size.out + o)], sum, tolerance * magnitude)
                  << to_string(isa) << " " << info(format).name << (packed ? " packed " : " exact ") << size.rows << "x"
                  << size.out << "x" << size.in;
            }
          }
        }
      }
    }
  }
}

TEST(Matmul, EveryInstructionSetGivesTheSameBits) {
  for (const Format format : kAllFormats) {
    for (const bool packed : {false, true}) {
      const TestWeight w(format, 40, 768, 4, packed);
      for (const int64_t rows : {1, 7, 40}) {
        const std::vector<float> x = random_values(rows * 768, 5);
        const std::vector<float> expected = multiply(Isa::kScalar, x, rows, w.view);
        for (const Isa isa : testable_isas())
          expect_bit_equal(expected, multiply(isa, x, rows, w.view).data(), info(format).name.data());
      }
    }
  }
}

TEST(Matmul, ARowDoesNotDependOnTheNumberOfRowsNorOnThreads) {
  constexpr int64_t kRows = 200, kOut = 72, kIn = 1536;
  const std::vector<float> x = random_values(kRows * kIn, 6);
  const int threads = omp_get_max_threads();
  for (const Format format : {Format::kQ4_0, Format::kQ4_1, Format::kQ8_0, Format::kQ6_K, Format::kBF16}) {
    const TestWeight w(format, kOut, kIn, 7, true);
    for (const Isa isa : testable_isas()) {
      if (isa == Isa::kScalar) continue;
      const std::vector<float> all = multiply(isa, x, kRows, w.view);
      for (const int64_t rows : {1, 2, 3, 5, 8, 17, 64}) {
        const std::vector<float> last(x.end() - rows * kIn, x.end());
        omp_set_num_threads(static_cast<int>(1 + rows % 3));
        expect_bit_equal(multiply(isa, last, rows, w.view), all.data() + (kRows - rows) * kOut,
                         info(format).name.data());
        omp_set_num_threads(threads);
      }
    }
  }
}

TEST(Matmul, ProductsThatShareTheirInputsAreEachAsAlone) {
  constexpr int64_t kRows = 21, kIn = 256;
  const std::vector<float> x = random_values(kRows * kIn, 8);
  const TestWeight q(Format::kQ4_1, 64, kIn, 9, true), k(Format::kQ6_K, 24, kIn, 10, true),
      v(Format::kF16, 40, kIn, 11, true);
  for (const Isa isa : testable_isas()) {
    std::vector<float> yq(kRows * 64), yk(kRows * 24), yv(kRows * 40);
    const Product products[] = {
        {q.view, nullptr, yq.data()}, {k.view, nullptr, yk.data()}, {v.view, nullptr, yv.data()}};
    matmul(x.data(), kRows, products, isa);
    expect_bit_equal(multiply(isa, x, kRows, q.view), yq.data(), "q");
    expect_bit_equal(multiply(isa, x, kRows, k.view), yk.data(), "k");
    expect_bit_equal(multiply(isa, x, kRows, v.view), yv.data(), "v");
  }
}

TEST(Matmul, StaysInsideItsBuffers) {
  for (const Format format : {Format::kQ4_1, Format::kQ6_K, Format::kQ8_0, Format::kF32}) {
    const int64_t in = info(format).block_size == 1 ? 45 : 256;
    for (const int64_t rows : {1, 31}) {
      const TestWeight w(format, 21, in, 23, true);
      const GuardedBuffer<std::byte> blocks{std::span<const std::byte>(w.rows)};
      PackedWeight packed;
      GuardedBuffer<std::byte> codes(w.packed ? w.packed->panel_bytes * static_cast<size_t>(w.packed->panels()) : 1);
      if (w.packed) {
        std::memcpy(codes.data(), w.packed->data.get(), codes.size());
        packed = PackedWeight{w.packed->out,         w.packed->in,          w.packed->bits,
                              w.packed->groups,      w.packed->has_minimum, w.packed->zero,
                              w.packed->block_bytes, w.packed->panel_bytes, {codes.data(), [](std::byte*) {}}};
      }
      const GuardedBuffer<float> x(std::span<const float>(random_values(rows * in, 24)));
      const GuardedBuffer<float> y(static_cast<size_t>(rows * 21)), dx(static_cast<size_t>(rows * in));
      const WeightView view = {format, 21, in, blocks.data(), w.packed ? &packed : nullptr};
      for (const Isa isa : testable_isas()) {
        const Product product = {view, nullptr, y.data()};
        matmul(x.data(), rows, {&product, 1}, isa);
        matmul_backward(y.data(), rows, view, dx.data(), isa);
      }
    }
  }
}

TEST(Matmul, NoRowsTouchNothing) {
  const TestWeight w(Format::kQ4_1, 16, 32, 12, true);
  const Product product = {w.view, nullptr, nullptr};
  matmul(nullptr, 0, {&product, 1});
  matmul_backward(nullptr, 0, w.view, nullptr);
}

TEST(Matmul, ZeroAndTinyInputsGiveZero) {
  const TestWeight w(Format::kQ8_0, 16, 32, 13, true);
  for (const Isa isa : testable_isas()) {
    for (const float value : {0.f, 1e-40f}) {
      for (const float y : multiply(isa, std::vector<float>(32, value), 1, w.view)) ASSERT_EQ(y, 0.f);
    }
  }
}

TEST(Matmul, AnInputThatIsNotFiniteSpoilsItsRowOnly) {
  const TestWeight w(Format::kQ4_1, 16, 64, 14, true);
  for (const Isa isa : testable_isas()) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      for (const size_t position : {0, 13, 31, 63}) {
        std::vector<float> x = random_values(2 * 64, 15);
        x[position] = bad;
        const std::vector<float> y = multiply(isa, x, 2, w.view);
        for (size_t o = 0; o < 16; ++o) {
          ASSERT_TRUE(std::isnan(y[o])) << to_string(isa);
          ASSERT_TRUE(std::isfinite(y[16 + o])) << to_string(isa);
        }
      }
    }
  }
}

TEST(MatmulBackward, AddsTheProductWithTheTransposedWeight) {
  constexpr float kInitial = 0.5f;
  for (const Isa isa : testable_isas()) {
    for (const Format format : kAllFormats) {
      for (const Size& size : sizes(format)) {
        const TestWeight w(format, size.out, size.in, 16, false);
        const std::vector<float> dy = random_values(size.rows * size.out, 17);
        const std::vector<float> dx = multiply_backward(isa, dy, size.rows, w.view, kInitial);
        for (int64_t r = 0; r < size.rows; ++r) {
          for (int64_t i = 0; i < size.in; ++i) {
            double sum = kInitial, magnitude = kInitial;
            for (int64_t o = 0; o < size.out; ++o) {
              const double term = static_cast<double>(dy[static_cast<size_t>(r * size.out + o)]) *
                                  w.values[static_cast<size_t>(o * size.in + i)];
              sum += term;
              magnitude += std::abs(term);
            }
            ASSERT_NEAR(dx[static_cast<size_t>(r * size.in + i)], sum, 1e-6 * magnitude)
                << to_string(isa) << " " << info(format).name;
          }
        }
      }
    }
  }
}

TEST(MatmulBackward, GivesTheSameBitsOnAnyInstructionSetAndNumberOfThreads) {
  const int threads = omp_get_max_threads();
  for (const Format format : {Format::kQ4_1, Format::kQ6_K, Format::kF32}) {
    const TestWeight w(format, 50, 768, 18, false);
    for (const int64_t rows : {3, 300}) {
      const std::vector<float> dy = random_values(rows * 50, 19);
      const std::vector<float> expected = multiply_backward(Isa::kScalar, dy, rows, w.view, 0.f);
      for (const Isa isa : testable_isas()) {
        for (const int count : {1, 2, 3}) {
          omp_set_num_threads(count);
          expect_bit_equal(expected, multiply_backward(isa, dy, rows, w.view, 0.f).data(), info(format).name.data());
        }
      }
      omp_set_num_threads(threads);
    }
  }
}

// y is linear in x, so a central difference of any step is the derivative up to rounding.
TEST(MatmulBackward, MatchesFiniteDifferencesOfTheExactProduct) {
  constexpr int64_t kRows = 2, kOut = 5, kIn = 64;
  const TestWeight w(Format::kQ5_1, kOut, kIn, 20, false);
  const std::vector<float> x = random_values(kRows * kIn, 21), dy = random_values(kRows * kOut, 22);
  const std::vector<float> dx = multiply_backward(Isa::kScalar, dy, kRows, w.view, 0.f);
  const auto loss = [&](const std::vector<float>& at) {
    const std::vector<float> y = multiply(Isa::kScalar, at, kRows, w.view);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * dy[i];
    return sum;
  };
  for (size_t i = 0; i < x.size(); i += 7) {
    std::vector<float> up = x, down = x;
    up[i] += 1.f;
    down[i] -= 1.f;
    ASSERT_NEAR((loss(up) - loss(down)) / 2, dx[i], 1e-5);
  }
}

}  // namespace
}  // namespace hearth::kernels
