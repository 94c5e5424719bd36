#include "models/adapters/initial_factors.h"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "models/adapters/layout.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<Matrix>;

constexpr Eigen::Index kColumns = 256;  // summed at once in f64

// M M^T
Eigen::MatrixXd gram(const Matrix& m) {
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(m.rows(), m.rows());
  for (Eigen::Index begin = 0; begin < m.cols(); begin += kColumns) {
    const Eigen::MatrixXd block = m.middleCols(begin, std::min(kColumns, m.cols() - begin)).cast<double>();
    sum.noalias() += block * block.transpose();
  }
  return sum;
}

// The greatest singular values of M and its left singular vectors, greatest first.
struct LeftSingular {
  Matrix u;                // [rows, rank]
  Eigen::VectorXd values;  // [rank]
};

LeftSingular left_singular(const Matrix& m, Eigen::Index rank) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram(m));  // least first
  if (solver.info() != Eigen::Success) throw invalid_argument("PiSSA: the matrix has values that are not finite");
  return {solver.eigenvectors().rightCols(rank).rowwise().reverse().cast<float>(),
          solver.eigenvalues().tail(rank).reverse().cwiseMax(0).cwiseSqrt()};
}

// An orthonormal basis of the columns of x.
Matrix orthonormal(const Matrix& x) {
  const Eigen::HouseholderQR<Matrix> qr(x);
  return qr.householderQ() * Matrix::Identity(x.rows(), x.cols());
}

LeftSingular fast_left_singular(const Matrix& m, Eigen::Index rank, int iterations, uint64_t seed) {
  Random random(seed);
  Matrix start(m.cols(), rank);
  std::generate(start.data(), start.data() + start.size(), [&] { return random.normal(); });
  Matrix q = orthonormal(m * start);  // nearly spans the principal part
  for (int i = 0; i < iterations; ++i) q = orthonormal(m * orthonormal(m.transpose() * q));
  LeftSingular small = left_singular(q.transpose() * m, rank);
  return {q * small.u, std::move(small.values)};
}

}  // namespace

Tensor random_linear(const Shape& shape, int64_t in, Random& random) {
  Tensor values(shape);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  std::generate(values.data(), values.data() + values.size(),
                [&] { return static_cast<float>(bound * (2 * random.uniform() - 1)); });
  return values;
}

Factors random_factors(const ModelTensor& tensor, int64_t rank, Random& random) {
  const Weight& weight = tensor.weight;
  return {random_linear({rank, weight.in()}, weight.in(), random), Tensor::zeros({weight.out(), rank})};
}

Factors principal_factors(const ModelTensor& tensor, int64_t rank, float scale, int iterations, uint64_t seed) {
  const int64_t out = tensor.weight.out(), in = tensor.weight.in();
  if (rank > std::min(out, in))
    throw invalid_argument("PiSSA: rank {} is more than '{}' of [{}, {}] has; choose a smaller lora_rank", rank,
                           tensor.name, out, in);
  if (!(scale > 0)) throw invalid_argument("PiSSA: lora_alpha / rank is {}, must be above 0", scale);
  Tensor values = frozen_values(tensor);
  // U S V^T is found of whichever of W and W^T has fewer rows.
  const bool turned = out > in;
  Matrix m = Map(values.data(), out, in);
  if (turned) m.transposeInPlace();
  const LeftSingular found = iterations < 0 ? left_singular(m, rank) : fast_left_singular(m, rank, iterations, seed);
  const Matrix& u = found.u;
  Factors factors{Tensor(Shape{rank, in}), Tensor(Shape{out, rank})};
  Map a(factors.a.data(), rank, in), b(factors.b.data(), out, rank);
  const Matrix projected = u.transpose() * m;  // S V^T
  for (Eigen::Index i = 0; i < rank; ++i) {
    const double root = std::sqrt(found.values[i] / scale);
    const auto of_left = static_cast<float>(root);
    const auto of_right = static_cast<float>(found.values[i] > 0 ? root / found.values[i] : 0);
    if (turned) {  // M = W^T: its left vectors are W's right ones
      a.row(i) = of_left * u.col(i).transpose();
      b.col(i) = of_right * projected.row(i).transpose();
    } else {
      a.row(i) = of_right * projected.row(i);
      b.col(i) = of_left * u.col(i);
    }
  }
  return factors;
}

std::shared_ptr<const Adapter> principal_part(const Adapter& adapter,
                                              std::span<const std::shared_ptr<ModelTensor>> tensors, int iterations) {
  auto taken = std::make_shared<Adapter>();
  taken->low_ranks.resize(adapter.low_ranks.size());
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    const LowRank* low_rank = adapter.at(tensor->linear);
    if (!low_rank) continue;
    Factors factors = principal_factors(*tensor, low_rank->rank(), low_rank->scale, iterations, tensor->linear);
    taken->low_ranks[tensor->linear] = std::make_unique<LowRank>(
        LowRank{.a = {"", std::move(factors.a), {}}, .b = {"", std::move(factors.b), {}}, .scale = -low_rank->scale});
  }
  return taken;
}

Tensor row_lengths(const Weight& weight) {
  Tensor lengths(Shape{weight.out()});
  std::vector<float> row(weight.in());
  for (int64_t r = 0; r < weight.out(); ++r) {
    weight.dequantize_rows(r, r + 1, row.data());
    double sum = 0;
    for (const float value : row) sum += static_cast<double>(value) * value;
    lengths.data()[r] = static_cast<float>(std::sqrt(sum));
  }
  return lengths;
}

}  // namespace hearth
