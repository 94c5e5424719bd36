#include "runtime/kept.h"

#include <algorithm>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"

namespace hearth {
namespace {

constexpr int64_t kBlockFloats = 16 << 10;  // made at a time

// Of floats in bf16, in a buffer of the tensors' pool.
std::shared_ptr<const Kept::Make> rounded(const Tensor& x) {
  const auto n = static_cast<int64_t>(x.size());
  Tensor halves({(n + 1) / 2});
  auto* values = reinterpret_cast<uint16_t*>(halves.data());
  kernels::round_bf16(x.data(), n, values);
  const int64_t width = x.dim(-1);
  return std::make_shared<const Kept::Make>([halves, width](int64_t begin, int64_t end, float* out) {
    const auto* all = reinterpret_cast<const uint16_t*>(halves.data());
    kernels::widen_bf16(all + begin * width, (end - begin) * width, out);
  });
}

}  // namespace

Kept::Kept(const Tensor& x, KeptPrecision precision) : place_(x.on_tape()) {
  if (precision == KeptPrecision::kBFloat16 && x.size() > 0) {
    held_ = rounded(x);
  } else {
    held_ = x;
  }
}

kernels::RowSource Kept::rows() const {
  if (const auto* tensor = std::get_if<Tensor>(&held_)) return {tensor->data(), place_.dim(-1)};
  return kernels::RowSource(*std::get<std::shared_ptr<const Make>>(held_));
}

Tensor Kept::value() const {
  if (const auto* tensor = std::get_if<Tensor>(&held_)) return *tensor;
  Tensor y(place_.shape());
  const int64_t width = std::max<int64_t>(place_.dim(-1), 1);
  const kernels::RowSource source = rows();
  parallel_for(place_.rows(), std::max<int64_t>(kBlockFloats / width, 1),
               [&](int64_t begin, int64_t end) { source.read(begin, end, y.row(begin)); });
  return y;
}

KeptRows::KeptRows(const Kept& kept, int64_t begin, int64_t end) {
  const kernels::RowSource source = kept.rows();
  if (source.is_made()) scratch_ = Tensor({end - begin, kept.place().dim(-1)});
  data_ = source.read(begin, end, scratch_.data());
}

}  // namespace hearth
