// Products with trainable matrices against sums in double.
#include "runtime/kernels/dense.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>
#include <omp.h>

#include "runtime/kernels/half.h"
#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth::kernels {
namespace {

struct Size {
  int64_t rows, out, in;
};
const Size kSizes[] = {{1, 1, 1}, {5, 17, 33}, {33, 40, 64}, {70, 100, 48}, {530, 19, 50}};

using Buffer = GuardedBuffer<float>;

Buffer random_buffer(int64_t n, uint64_t seed) { return Buffer(std::span<const float>(random_values(n, seed))); }

double operand(float value, DensePrecision precision) {
  return precision == DensePrecision::kBFloat16 ? bf16_to_f32(f32_to_bf16(value)) : value;
}

// found [rows][columns] is initial + the sum over depth of a(row, d) * b(d, column), each sum within 2e-6 of the sum of
// its terms' magnitudes.
template <class A, class B>
void expect_product(const float* found, const std::vector<float>& initial, const Size& size, A a, B b) {
  for (int64_t r = 0; r < size.rows; ++r) {
    for (int64_t j = 0; j < size.out; ++j) {
      double sum = initial[static_cast<size_t>(r * size.out + j)], magnitude = std::abs(sum);
      for (int64_t d = 0; d < size.in; ++d) {
        const double term = a(r, d) * b(d, j);
        sum += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(found[r * size.out + j], sum, 2e-6 * magnitude) << r << "," << j;
    }
  }
}

TEST(Dense, ProductsAreThoseOfTheOperands) {
  for (const Isa isa : testable_isas()) {
    for (const DensePrecision precision : {DensePrecision::kFloat32, DensePrecision::kBFloat16}) {
      for (const auto& [rows, out, in] : kSizes) {
        SCOPED_TRACE(testing::Message() << to_string(isa)
                                        << (precision == DensePrecision::kBFloat16 ? " bf16 " : " f32 ") << rows << "x"
                                        << out << "x" << in);
        const Buffer x = random_buffer(rows * in, 1), w = random_buffer(out * in, 2), dy = random_buffer(rows * out, 3);
        const Buffer y(static_cast<size_t>(rows * out)), dx = random_buffer(rows * in, 4),
                                                         dw = random_buffer(out * in, 5);
        const std::vector<float> bias = random_values(out, 6), dx_before(dx.data(), dx.data() + dx.size()),
                                 dw_before(dw.data(), dw.data() + dw.size());
        std::vector<float> biases;
        for (int64_t r = 0; r < rows; ++r) biases.insert(biases.end(), bias.begin(), bias.end());
        const DenseMatrix matrix = {w.data(), out, in};
        dense(x.data(), rows, matrix, bias.data(), precision, y.data(), isa);
        dense_backward(dy.data(), rows, matrix, precision, dx.data(), isa);
        dense_weight_backward({dy.data(), x.data(), rows, out, in}, precision, dw.data(), isa);
        const auto at = [precision](const Buffer& m, int64_t i) { return operand(m.data()[i], precision); };
        const int64_t n_out = out, n_in = in;
        expect_product(
            y.data(), biases, {rows, out, in}, [&](int64_t r, int64_t d) { return at(x, r * n_in + d); },
            [&](int64_t d, int64_t o) { return at(w, o * n_in + d); });
        expect_product(
            dx.data(), dx_before, {rows, in, out}, [&](int64_t r, int64_t d) { return at(dy, r * n_out + d); },
            [&](int64_t d, int64_t i) { return at(w, d * n_in + i); });
        expect_product(
            dw.data(), dw_before, {out, in, rows}, [&](int64_t o, int64_t d) { return at(dy, d * n_out + o); },
            [&](int64_t d, int64_t i) { return at(x, d * n_in + i); });
      }
    }
  }
}

TEST(Dense, TheWeightsGradientDoesNotDependOnThreads) {
  constexpr int64_t kRows = 600, kOut = 100, kIn = 130;
  const std::vector<float> dy = random_values(kRows * kOut, 7), x = random_values(kRows * kIn, 8);
  const int threads = omp_get_max_threads();
  for (const DensePrecision precision : {DensePrecision::kFloat32, DensePrecision::kBFloat16}) {
    std::vector<float> expected;
    for (const int count : {1, 2, 3}) {
      std::vector<float> dw(kOut * kIn);
      omp_set_num_threads(count);
      dense_weight_backward({dy.data(), x.data(), kRows, kOut, kIn}, precision, dw.data());
      omp_set_num_threads(threads);
      if (expected.empty()) expected = dw;
      ASSERT_EQ(std::memcmp(expected.data(), dw.data(), dw.size() * sizeof(float)), 0) << count;
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
