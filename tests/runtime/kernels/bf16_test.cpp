// Products with weights in bf16: what they are of the rounded operands, and the rearranging of tiles.
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>
#include <omp.h>

#include "runtime/kernels/float_kernels.h"
#include "runtime/kernels/matmul.h"
#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth::kernels {
namespace {

float rounded(float value) { return bf16_to_f32(f32_to_bf16(value)); }

// A random weight in bf16, and the values that it stands for.
struct Bf16Weight {
  Bf16Weight(Format format, int64_t out, int64_t in, uint64_t seed, Isa isa) : values(static_cast<size_t>(out * in)) {
    const std::vector<std::byte> rows = random_rows(format, out, in, seed);
    dequantize(format, rows.data(), out * in, values.data());
    for (float& value : values) value = rounded(value);
    packed = pack_bf16(format, out, in, rows.data(), isa);
    view = {format, out, in, nullptr, packed.get()};
  }
  std::vector<float> values;  // [out, in]
  std::unique_ptr<PackedWeight> packed;
  WeightView view;
};

struct Size {
  int64_t rows, out, in;
};
std::vector<Size> sizes(Format format) {
  if (info(format).block_size == 256) return {{5, 33, 512}, {70, 17, 256}};
  if (info(format).block_size == 32) return {{1, 7, 64}, {33, 50, 1312}};
  return {{1, 1, 1}, {16, 16, 32}, {17, 50, 45}, {3, 97, 576}, {40, 600, 70}};
}

// Sums of exact products, each rounded to f32 once for a term or a pair.
constexpr double kTolerance = 2e-6;

TEST(Bf16, ProductIsThatOfTheRoundedOperands) {
  for (const Isa isa : testable_isas()) {
    for (const Format format : kAllFormats) {
      for (const Size& size : sizes(format)) {
        const Bf16Weight w(format, size.out, size.in, 1, isa);
        const GuardedBuffer<float> x(std::span<const float>(random_values(size.rows * size.in, 2)));
        const std::vector<float> bias = random_values(size.out, 3);
        const GuardedBuffer<float> y(static_cast<size_t>(size.rows * size.out));
        const Product product = {w.view, bias.data(), y.data()};
        matmul(x.data(), size.rows, {&product, 1}, isa);
        for (int64_t r = 0; r < size.rows; ++r) {
          for (int64_t o = 0; o < size.out; ++o) {
            double sum = bias[static_cast<size_t>(o)], magnitude = std::abs(sum);
            for (int64_t i = 0; i < size.in; ++i) {
              const double term =
                  double{rounded(x.data()[r * size.in + i])} * w.values[static_cast<size_t>(o * size.in + i)];
              sum += term;
              magnitude += std::abs(term);
            }
            ASSERT_NEAR(y.data()[r * size.out + o], sum, kTolerance * magnitude)
                << to_string(isa) << " " << info(format).name << " " << r << "," << o;
          }
        }
      }
    }
  }
}

TEST(Bf16, BackwardAddsTheProductWithTheTransposedWeight) {
  for (const Isa isa : testable_isas()) {
    for (const Format format : {Format::kF32, Format::kQ4_1, Format::kQ6_K}) {
      for (const Size& size : sizes(format)) {
        const Bf16Weight w(format, size.out, size.in, 4, isa);
        const GuardedBuffer<float> dy(std::span<const float>(random_values(size.rows * size.out, 5)));
        const std::vector<float> initial = random_values(size.rows * size.in, 6);
        const GuardedBuffer<float> dx{std::span<const float>(initial)};
        matmul_backward(dy.data(), size.rows, w.view, dx.data(), isa);
        for (int64_t r = 0; r < size.rows; ++r) {
          for (int64_t i = 0; i < size.in; ++i) {
            double sum = initial[static_cast<size_t>(r * size.in + i)], magnitude = std::abs(sum);
            for (int64_t o = 0; o < size.out; ++o) {
              const double term =
                  double{rounded(dy.data()[r * size.out + o])} * w.values[static_cast<size_t>(o * size.in + i)];
              sum += term;
              magnitude += std::abs(term);
            }
            ASSERT_NEAR(dx.data()[r * size.in + i], sum, kTolerance * magnitude)
                << to_string(isa) << " " << info(format).name << " " << r << "," << i;
          }
        }
      }
    }
  }
}

TEST(Bf16, ARowDependsNeitherOnTheNumberOfRowsNorOnThreads) {
  constexpr int64_t kRows = 300, kOut = 200, kIn = 608;
  const std::vector<float> x = random_values(kRows * kIn, 7);
  const int threads = omp_get_max_threads();
  for (const Isa isa : testable_isas()) {
    if (isa == Isa::kScalar) continue;
    const Bf16Weight w(Format::kBF16, kOut, kIn, 8, isa);
    std::vector<float> y(kRows * kOut), dx(kRows * kIn);
    const Product whole = {w.view, nullptr, y.data()};
    matmul(x.data(), kRows, {&whole, 1}, isa);
    matmul_backward(y.data(), kRows, w.view, dx.data(), isa);
    for (const int64_t rows : {1, 5, 16, 33, 150}) {
      std::vector<float> some(static_cast<size_t>(rows * kOut)), some_dx(static_cast<size_t>(rows * kIn));
      const Product part = {w.view, nullptr, some.data()};
      omp_set_num_threads(static_cast<int>(1 + rows % 3));
      matmul(x.data() + (kRows - rows) * kIn, rows, {&part, 1}, isa);
      matmul_backward(some.data(), rows, w.view, some_dx.data(), isa);
      omp_set_num_threads(threads);
      ASSERT_EQ(std::memcmp(some.data(), y.data() + (kRows - rows) * kOut, some.size() * sizeof(float)), 0);
      ASSERT_EQ(std::memcmp(some_dx.data(), dx.data() + (kRows - rows) * kIn, some_dx.size() * sizeof(float)), 0);
    }
  }
}

TEST(Bf16, TilesAreTheSameOnEveryInstructionSet) {
  const FloatKernels& oracle = float_kernels(Isa::kScalar);
  std::vector<float> values = random_values(16 * 40, 9);
  values[3] = std::numeric_limits<float>::infinity();
  values[4] = std::numeric_limits<float>::quiet_NaN();
  values[5] = 0x1.01p0f;      // half-way: to even, down
  values[6] = 0x1.03p0f;      // half-way: to even, up
  values[7] = 0x1.ffffp127f;  // becomes infinite
  for (const Isa isa : testable_isas()) {
    const FloatKernels& kernels = float_kernels(isa);
    for (const auto& [rows, columns] : {std::pair{16, 32}, {1, 1}, {7, 16}, {16, 17}, {3, 31}}) {
      const size_t used = static_cast<size_t>((rows - 1) * 40 + columns);
      const GuardedBuffer<float> in(std::span<const float>(values.data(), used));
      uint16_t expected[3][kTileElements], found[3][kTileElements];
      const auto make = [&](const FloatKernels& k, uint16_t(&out)[3][kTileElements]) {
        k.round_tile(in.data(), 40, rows, columns, out[0]);
        k.transpose_tile(out[0], out[1]);
        k.pair_rows(out[0], out[2], out[2] + kTileElements / 2);
      };
      make(oracle, expected);
      make(kernels, found);
      ASSERT_EQ(std::memcmp(expected, found, sizeof expected), 0) << to_string(isa) << " " << rows << "x" << columns;
    }
  }
}

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(rounded(0x1.01p0f), 1.f);
  EXPECT_EQ(rounded(0x1.03p0f), 0x1.04p0f);
  EXPECT_EQ(rounded(0x1.010002p0f), 0x1.02p0f);
  EXPECT_EQ(rounded(-0x1.ffffp127f), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Bf16, AmxAgreesWithAvx512) {
#ifdef HEARTH_EMULATE_AVX512
  GTEST_SKIP() << "AMX is not emulated";
#endif
  if (isa() < Isa::kAmx) GTEST_SKIP() << "this CPU has no AMX";
  constexpr int64_t kRows = 100, kOut = 300, kIn = 1536;
  const Bf16Weight w(Format::kBF16, kOut, kIn, 10, isa());
  const std::vector<float> x = random_values(kRows * kIn, 11);
  std::vector<float> by_tiles(kRows * kOut), by_vectors(kRows * kOut);
  const Product tiles = {w.view, nullptr, by_tiles.data()}, vectors = {w.view, nullptr, by_vectors.data()};
  matmul(x.data(), kRows, {&tiles, 1}, Isa::kAmx);
  matmul(x.data(), kRows, {&vectors, 1}, Isa::kAvx512);
  for (size_t i = 0; i < by_tiles.size(); ++i)
    ASSERT_NEAR(by_tiles[i], by_vectors[i], 2e-3);  // of sums of 1536 normals
}

}  // namespace
}  // namespace hearth::kernels
