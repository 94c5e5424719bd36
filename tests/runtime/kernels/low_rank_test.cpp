#include "runtime/kernels/low_rank.h"

#include <cmath>
#include <cstring>
#include <memory>

#include <gtest/gtest.h>
#include <omp.h>

#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth::kernels {
namespace {

// Adapters of one x, with everything against a page that may not be touched.
struct Adapter {
  int64_t rank, out;
  float scale;
  GuardedBuffer<float> a, b, h, y, dy, da, db;

  Adapter(int64_t rows, int64_t in, int64_t the_rank, int64_t the_out, float the_scale, uint64_t seed)
      : rank(the_rank),
        out(the_out),
        scale(the_scale),
        a(std::span<const float>(random_values(rank * in, seed))),
        b(std::span<const float>(random_values(out * rank, seed + 1))),
        h(static_cast<size_t>(rows * rank)),
        y(std::span<const float>(random_values(rows * out, seed + 2))),
        dy(std::span<const float>(random_values(rows * out, seed + 3))),
        da(std::span<const float>(random_values(rank * in, seed + 4))),
        db(std::span<const float>(random_values(out * rank, seed + 5))) {}

  LowRankProduct product() const { return {a.data(), b.data(), rank, out, scale, h.data(), y.data()}; }
  LowRankGradient gradient() const {
    return {a.data(), b.data(), rank, out, scale, h.data(), dy.data(), da.data(), db.data()};
  }
};

// initial + factor * sum over depth of left(k) * right(k), and the magnitude of its terms.
template <class Left, class Right>
void expect_sum(float found, double initial, double factor, int64_t depth, Left left, Right right, const char* what) {
  double sum = 0, magnitude = 0;
  for (int64_t k = 0; k < depth; ++k) {
    const double term = factor * left(k) * right(k);
    sum += term;
    magnitude += std::abs(term);
  }
  ASSERT_NEAR(found, initial + sum, 2e-6 * (magnitude + std::abs(initial))) << what;
}

struct Size {
  int64_t rows, in;
  std::vector<std::pair<int64_t, int64_t>> rank_and_out;
};
const Size kSizes[] = {{1, 5, {{1, 3}}},
                       {17, 45, {{8, 33}}},
                       {3, 576, {{8, 50}, {16, 192}, {7, 19}}},
                       {150, 70, {{64, 37}, {8, 64}}},
                       {259, 48, {{12, 21}, {4, 16}}}};

TEST(LowRank, IsTheProductOfBothFactors) {
  for (const Isa isa : testable_isas()) {
    for (const Size& size : kSizes) {
      const GuardedBuffer<float> x(std::span<const float>(random_values(size.rows * size.in, 1)));
      std::vector<std::unique_ptr<Adapter>> adapters;
      std::vector<LowRankProduct> products;
      std::vector<std::vector<float>> initial;
      for (const auto& [rank, out] : size.rank_and_out) {
        const auto seed = static_cast<uint64_t>(10 * adapters.size() + 2);
        adapters.push_back(std::make_unique<Adapter>(size.rows, size.in, rank, out, 0.7f, seed));
        products.push_back(adapters.back()->product());
        initial.emplace_back(products.back().y, products.back().y + size.rows * out);
      }
      low_rank(x.data(), size.rows, size.in, products, isa);
      for (size_t i = 0; i < products.size(); ++i) {
        const LowRankProduct& p = products[i];
        for (int64_t r = 0; r < size.rows; ++r) {
          for (int64_t k = 0; k < p.rank; ++k) {
            expect_sum(
                p.h[r * p.rank + k], 0, 1, size.in, [&](int64_t j) { return double{x.data()[r * size.in + j]}; },
                [&](int64_t j) { return p.a[k * size.in + j]; }, "h");
          }
          for (int64_t o = 0; o < p.out; ++o) {
            expect_sum(
                p.y[r * p.out + o], initial[i][static_cast<size_t>(r * p.out + o)], p.scale, p.rank,
                [&](int64_t k) { return double{p.h[r * p.rank + k]}; }, [&](int64_t k) { return p.b[o * p.rank + k]; },
                "y");
          }
        }
      }
    }
  }
}

// scale * dy B
std::vector<double> gradient_of_h(const LowRankGradient& g, int64_t rows) {
  std::vector<double> dh(static_cast<size_t>(rows * g.rank));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < g.rank; ++k) {
      double& sum = dh[static_cast<size_t>(r * g.rank + k)];
      for (int64_t o = 0; o < g.out; ++o) sum += double{g.scale} * g.dy[r * g.out + o] * g.b[o * g.rank + k];
    }
  }
  return dh;
}

void expect_gradients(const LowRankGradient& g, const float* x, int64_t rows, int64_t in, const std::vector<float>& da,
                      const std::vector<float>& db) {
  const std::vector<double> dh = gradient_of_h(g, rows);
  for (int64_t k = 0; k < g.rank; ++k) {
    for (int64_t j = 0; j < in; ++j) {
      double sum = da[static_cast<size_t>(k * in + j)], magnitude = 1;
      for (int64_t r = 0; r < rows; ++r) {
        sum += dh[static_cast<size_t>(r * g.rank + k)] * x[r * in + j];
        magnitude += std::abs(dh[static_cast<size_t>(r * g.rank + k)] * x[r * in + j]);
      }
      ASSERT_NEAR(g.da[k * in + j], sum, 1e-5 * magnitude) << "da";
    }
    for (int64_t o = 0; o < g.out; ++o) {
      expect_sum(
          g.db[o * g.rank + k], db[static_cast<size_t>(o * g.rank + k)], g.scale, rows,
          [&](int64_t r) { return double{g.dy[r * g.out + o]}; }, [&](int64_t r) { return g.h[r * g.rank + k]; }, "db");
    }
  }
}

TEST(LowRankBackward, AddsTheGradientsOfTheFactorsAndOfX) {
  for (const Isa isa : testable_isas()) {
    for (const Size& size : kSizes) {
      const GuardedBuffer<float> x(std::span<const float>(random_values(size.rows * size.in, 1)));
      const std::vector<float> initial = random_values(size.rows * size.in, 2);
      const GuardedBuffer<float> dx{std::span<const float>(initial)};
      std::vector<std::unique_ptr<Adapter>> adapters;
      std::vector<LowRankGradient> gradients;
      std::vector<std::vector<float>> da, db;
      for (const auto& [rank, out] : size.rank_and_out) {
        const auto seed = static_cast<uint64_t>(10 * adapters.size() + 3);
        adapters.push_back(std::make_unique<Adapter>(size.rows, size.in, rank, out, 0.7f, seed));
        const std::vector<float> h = random_values(size.rows * rank, seed + 6);
        std::memcpy(adapters.back()->h.data(), h.data(), h.size() * sizeof(float));
        gradients.push_back(adapters.back()->gradient());
        da.emplace_back(gradients.back().da, gradients.back().da + rank * size.in);
        db.emplace_back(gradients.back().db, gradients.back().db + out * rank);
      }
      low_rank_backward({x.data(), size.in}, size.rows, size.in, gradients, dx.data(), isa);
      for (size_t i = 0; i < gradients.size(); ++i)
        expect_gradients(gradients[i], x.data(), size.rows, size.in, da[i], db[i]);
      std::vector<std::vector<double>> dh;
      for (const LowRankGradient& g : gradients) dh.push_back(gradient_of_h(g, size.rows));
      for (int64_t r = 0; r < size.rows; ++r) {
        for (int64_t j = 0; j < size.in; ++j) {
          double sum = initial[static_cast<size_t>(r * size.in + j)], magnitude = 1;
          for (size_t i = 0; i < gradients.size(); ++i) {
            const LowRankGradient& g = gradients[i];
            for (int64_t k = 0; k < g.rank; ++k) {
              const double term = dh[i][static_cast<size_t>(r * g.rank + k)] * g.a[k * size.in + j];
              sum += term;
              magnitude += std::abs(term);
            }
          }
          ASSERT_NEAR(dx.data()[r * size.in + j], sum, 1e-5 * magnitude) << "dx";
        }
      }
    }
  }
}

TEST(LowRankBackward, WantsNoGradientThatIsNull) {
  Adapter adapter(5, 20, 8, 12, 1.f, 1);
  LowRankGradient g = adapter.gradient();
  std::memset(adapter.h.data(), 0, adapter.h.size() * sizeof(float));
  const std::vector<float> da(g.da, g.da + 8 * 20);
  g.da = g.db = nullptr;
  low_rank_backward({nullptr, 20}, 5, 20, {&g, 1}, nullptr);
  std::vector<float> dx(5 * 20);
  low_rank_backward({nullptr, 20}, 5, 20, {&g, 1}, dx.data());
  EXPECT_NE(dx[99], 0.f);
  EXPECT_EQ(std::memcmp(da.data(), adapter.da.data(), da.size() * sizeof(float)), 0);
}

TEST(LowRank, GivesTheSameBitsTwice) {
  const std::vector<float> x = random_values(333 * 576, 1);
  for (const Isa isa : testable_isas()) {
    std::vector<float> first;
    for (int run = 0; run < 2; ++run) {
      Adapter adapter(333, 576, 16, 200, 2.f, 7);
      const LowRankProduct p = adapter.product();
      const LowRankGradient g = adapter.gradient();
      low_rank(x.data(), 333, 576, {&p, 1}, isa);
      low_rank_backward({x.data(), 576}, 333, 576, {&g, 1}, nullptr, isa);
      std::vector<float> all(p.y, p.y + 333 * 200);
      all.insert(all.end(), g.da, g.da + 16 * 576);
      all.insert(all.end(), g.db, g.db + 200 * 16);
      if (run == 0) first = all;
      ASSERT_EQ(std::memcmp(first.data(), all.data(), all.size() * sizeof(float)), 0);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
