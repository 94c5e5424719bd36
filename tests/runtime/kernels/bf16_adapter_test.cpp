// Products in bf16 with what adapters add to them, forward and backward.
#include <cmath>
#include <memory>

#include <gtest/gtest.h>
#include <omp.h>

#include "runtime/kernels/matmul.h"
#include "tests/runtime/kernels/guarded_buffer.h"
#include "tests/runtime/kernels/isas.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth::kernels {
namespace {

constexpr double kExact = 2e-6;    // of sums of exact products, each rounded to f32 once for a term or a pair
constexpr double kRounded = 4e-3;  // where a factor was rounded to bf16 after it was summed

float rounded(float value) { return bf16_to_f32(f32_to_bf16(value)); }

GuardedBuffer<float> random_buffer(int64_t n, uint64_t seed) {
  return GuardedBuffer<float>(std::span<const float>(random_values(n, seed)));
}

struct Size {
  int64_t rows, in;
  std::vector<std::pair<int64_t, int64_t>> rank_and_out;
};
const Size kSizes[] = {{1, 5, {{1, 3}}},
                       {17, 45, {{8, 33}, {0, 20}}},
                       {3, 576, {{8, 50}, {16, 192}, {7, 19}}},
                       {300, 70, {{64, 37}, {8, 64}}},
                       {130, 40, {{12, 2100}, {33, 16}}}};

// Everything of a projection against pages that may not be touched.
struct Projection {
  Projection(const Size& size, int64_t the_rank, int64_t the_out, uint64_t seed, Isa isa)
      : rank(the_rank),
        out(the_out),
        values(random_values(out * size.in, seed)),
        packed(pack_bf16(Format::kF32, out, size.in, reinterpret_cast<const std::byte*>(values.data()), isa)),
        a(random_buffer(rank * size.in, seed + 1)),
        b(random_buffer(out * rank, seed + 2)),
        bias(random_buffer(out, seed + 3)),
        dy(random_buffer(size.rows * out, seed + 4)),
        da(random_buffer(rank * size.in, seed + 5)),
        db(random_buffer(out * rank, seed + 6)),
        y(static_cast<size_t>(size.rows * out)),
        h(static_cast<size_t>(size.rows * padded_rank(rank))),
        view{Format::kF32, out, size.in, nullptr, packed.get()} {}

  LowRankFactors adapter() const { return {a.data(), b.data(), rank, kScale}; }
  Product product() const { return {view, bias.data(), y.data(), adapter(), h.data()}; }
  ProductGradient gradient() const { return {view, dy.data(), adapter(), h.data(), da.data(), db.data()}; }
  float scaled_b(int64_t o, int64_t k) const { return rounded(kScale * b.data()[o * rank + k]); }

  static constexpr float kScale = 0.7f;
  int64_t rank, out;
  std::vector<float> values;
  std::unique_ptr<PackedWeight> packed;
  GuardedBuffer<float> a, b, bias, dy, da, db, y, h;
  WeightView view;
};

struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

class Bf16Adapter : public testing::TestWithParam<size_t> {
 protected:
  void make(Isa isa) {
    size = kSizes[GetParam()];
    x = std::make_unique<GuardedBuffer<float>>(std::span<const float>(random_values(size.rows * size.in, 1)));
    projections.clear();
    for (const auto& [rank, out] : size.rank_and_out)
      projections.push_back(std::make_unique<Projection>(size, rank, out, 10 * projections.size() + 20, isa));
  }
  void forward(Isa isa) const {
    std::vector<Product> products;
    for (const auto& p : projections) products.push_back(p->product());
    matmul(x->data(), size.rows, products, isa);
  }
  float x_at(int64_t r, int64_t i) const { return rounded(x->data()[r * size.in + i]); }

  Size size;
  std::unique_ptr<GuardedBuffer<float>> x;
  std::vector<std::unique_ptr<Projection>> projections;
};

TEST_P(Bf16Adapter, AddsTheProductOfBothFactors) {
  for (const Isa isa : testable_isas()) {
    make(isa);
    forward(isa);
    for (const auto& p : projections) {
      const int64_t width = padded_rank(p->rank);
      for (int64_t r = 0; r < size.rows; r += 1 + size.rows / 40) {
        for (int64_t k = 0; k < p->rank; ++k) {
          Sum h;
          for (int64_t i = 0; i < size.in; ++i) h.add(double{x_at(r, i)} * rounded(p->a.data()[k * size.in + i]));
          ASSERT_NEAR(p->h.data()[r * width + k], h.value, kExact * h.magnitude) << to_string(isa);
        }
        for (int64_t o = 0; o < p->out; ++o) {
          Sum y;
          y.add(p->bias.data()[o]);
          for (int64_t i = 0; i < size.in; ++i)
            y.add(double{x_at(r, i)} * rounded(p->values[static_cast<size_t>(o * size.in + i)]));
          for (int64_t k = 0; k < p->rank; ++k) y.add(double{rounded(p->h.data()[r * width + k])} * p->scaled_b(o, k));
          ASSERT_NEAR(p->y.data()[r * p->out + o], y.value, kExact * y.magnitude) << to_string(isa);
        }
      }
    }
  }
}

// scale * dy B, summed in double.
std::vector<double> gradient_of_h(const Projection& p, int64_t rows) {
  std::vector<double> dh(static_cast<size_t>(rows * p.rank));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < p.rank; ++k)
      for (int64_t o = 0; o < p.out; ++o)
        dh[static_cast<size_t>(r * p.rank + k)] += double{rounded(p.dy.data()[r * p.out + o])} * p.scaled_b(o, k);
  return dh;
}

TEST_P(Bf16Adapter, GradientsAreSumsOverRowsAndOutputs) {
  for (const Isa isa : testable_isas()) {
    make(isa);
    forward(isa);
    std::vector<ProductGradient> gradients;
    std::vector<std::vector<float>> initial_da, initial_db;
    std::vector<std::vector<double>> dh;
    for (const auto& p : projections) {
      gradients.push_back(p->gradient());
      initial_da.emplace_back(p->da.data(), p->da.data() + p->rank * size.in);
      initial_db.emplace_back(p->db.data(), p->db.data() + p->out * p->rank);
      dh.push_back(gradient_of_h(*p, size.rows));
    }
    for (const bool adds : {false, true}) {
      const std::vector<float> initial = random_values(size.rows * size.in, 5);
      const GuardedBuffer<float> dx{std::span<const float>(initial)};
      matmul_backward(RowSource(x->data(), size.in), size.rows, gradients, GradientSum(dx.data(), adds), isa);
      for (int64_t r = 0; r < size.rows; r += 1 + size.rows / 20) {
        for (int64_t i = 0; i < size.in; ++i) {
          Sum exact, twice;
          if (adds) exact.add(initial[static_cast<size_t>(r * size.in + i)]);
          for (size_t n = 0; n < projections.size(); ++n) {
            const Projection& p = *projections[n];
            for (int64_t o = 0; o < p.out; ++o)
              exact.add(double{rounded(p.dy.data()[r * p.out + o])} *
                        rounded(p.values[static_cast<size_t>(o * size.in + i)]));
            for (int64_t k = 0; k < p.rank; ++k)
              twice.add(dh[n][static_cast<size_t>(r * p.rank + k)] * rounded(p.a.data()[k * size.in + i]));
          }
          ASSERT_NEAR(dx.data()[r * size.in + i], exact.value + twice.value,
                      kExact * exact.magnitude + kRounded * twice.magnitude)
              << to_string(isa);
        }
      }
    }
    for (size_t n = 0; n < projections.size(); ++n) {  // twice: so often the gradients were added
      const Projection& p = *projections[n];
      for (int64_t k = 0; k < p.rank; ++k) {
        for (int64_t i = 0; i < size.in; ++i) {
          Sum da;
          for (int64_t r = 0; r < size.rows; ++r) da.add(dh[n][static_cast<size_t>(r * p.rank + k)] * x_at(r, i));
          ASSERT_NEAR(p.da.data()[k * size.in + i], initial_da[n][static_cast<size_t>(k * size.in + i)] + 2 * da.value,
                      2 * kRounded * da.magnitude + 1e-6)
              << to_string(isa);
        }
        for (int64_t o = 0; o < p.out; o += 1 + p.out / 50) {
          Sum db;
          for (int64_t r = 0; r < size.rows; ++r)
            db.add(double{Projection::kScale} * rounded(p.dy.data()[r * p.out + o]) *
                   rounded(p.h.data()[r * padded_rank(p.rank) + k]));
          ASSERT_NEAR(p.db.data()[o * p.rank + k], initial_db[n][static_cast<size_t>(o * p.rank + k)] + 2 * db.value,
                      4 * kExact * db.magnitude + 1e-6)
              << to_string(isa);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Bf16Adapter, testing::Range<size_t>(0, std::size(kSizes)));

TEST(Bf16AdapterRows, DependNeitherOnTheNumberOfRowsNorOnThreads) {
  const Size size = {300, 96, {{8, 200}}};
  const int threads = omp_get_max_threads();
  const std::vector<float> x = random_values(size.rows * size.in, 1);
  const Projection whole(size, 8, 200, 20, isa());
  const Product all = whole.product();
  matmul(x.data(), size.rows, {&all, 1});
  for (const int64_t rows : {1, 5, 16, 33, 150}) {
    const Projection part(size, 8, 200, 20, isa());
    const Product some = part.product();
    omp_set_num_threads(static_cast<int>(1 + rows % 3));
    matmul(x.data() + (size.rows - rows) * size.in, rows, {&some, 1});
    omp_set_num_threads(threads);
    ASSERT_TRUE(std::equal(some.y, some.y + rows * 200, all.y + (size.rows - rows) * 200)) << rows;
  }
}

// What is left out is not read, and not written.
TEST(Bf16AdapterRows, GradientsThatAreNotWantedMayBeNull) {
  const Size size = {40, 64, {{8, 48}}};
  const Projection p(size, 8, 48, 20, isa());
  ProductGradient g = p.gradient();
  g.da = g.db = nullptr;
  g.h = nullptr;
  const GuardedBuffer<float> dx(static_cast<size_t>(size.rows * size.in));
  matmul_backward(RowSource(nullptr, size.in), size.rows, {&g, 1}, GradientSum(dx.data(), false));
  matmul_backward(RowSource(nullptr, size.in), size.rows, {&g, 1}, GradientSum());
}

}  // namespace
}  // namespace hearth::kernels
