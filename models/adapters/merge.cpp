#include "models/adapters/merge.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"

namespace hearth {
namespace {

constexpr int64_t kGrain = 8;  // rows

// row += factor * (row r of b) a
void add_product(const Tensor& a, const Tensor& b, int64_t r, float factor, float* row) {
  const int64_t in = a.dim(1);
  for (int64_t k = 0; k < a.dim(0); ++k) {
    const float share = factor * b.row(r)[k];
    const float* from = a.row(k);
    for (int64_t i = 0; i < in; ++i) row[i] += share * from[i];
  }
}

void merge_row(const Weight& weight, const LowRank& low_rank, int64_t r, float* row) {
  const int64_t in = weight.in();
  weight.dequantize_rows(r, r + 1, row);
  add_product(low_rank.a.value, low_rank.b.value, r, low_rank.scale, row);
  if (!low_rank.magnitude) return;
  double sum = 0;
  for (int64_t i = 0; i < in; ++i) sum += static_cast<double>(row[i]) * row[i];
  if (sum == 0) return;  // a row of zeros has no direction
  const auto factor = static_cast<float>(low_rank.magnitude->value.data()[r] / std::sqrt(sum));
  for (int64_t i = 0; i < in; ++i) row[i] *= factor;
}

}  // namespace

Weight merged(const Weight& weight, const LowRank& low_rank) {
  const int64_t out = weight.out(), in = weight.in();
  HEARTH_CHECK(low_rank.a.value.shape() == (Shape{low_rank.rank(), in}) &&
               low_rank.b.value.shape() == (Shape{out, low_rank.rank()}));
  auto values = std::make_shared<std::vector<float>>(out * in);
  parallel_for(out, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) merge_row(weight, low_rank, r, values->data() + r * in);
  });
  const auto* rows = reinterpret_cast<const std::byte*>(values->data());
  return Weight(Format::kF32, out, in, rows, std::move(values));
}

void merge_into(ModelTensors tensors, const Adapter& adapter, ComputeDtype dtype) {
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    const LowRank* part = adapter.at(tensor->linear);
    if (!part) continue;
    tensor->weight = merged(tensor->weight, *part);
    tensor->weight.prepare(dtype);
  }
}

void merge_into(ModelTensors tensors, const PeftAdapter& peft, ComputeDtype dtype) {
  if (peft.taken) merge_into(tensors, *peft.taken, dtype);
  merge_into(tensors, *peft.adapter, dtype);
}

}  // namespace hearth
