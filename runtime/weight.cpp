#include "runtime/weight.h"

#include <limits>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/kernels/packed_weight.h"

namespace hearth {

Weight::Weight(Format format, int64_t out, int64_t in, const std::byte* rows, std::shared_ptr<const void> owner)
    : out_(out), in_(in), format_(format), rows_(rows), owner_(std::move(owner)) {
  const FormatInfo& layout = info(format);
  if (out < 1 || in < 1) throw invalid_argument("weight of [{}, {}]: both dimensions must be at least 1", out, in);
  if (in % layout.block_size != 0) {
    throw invalid_argument(
        "weight of [{}, {}]: rows of {} are stored in blocks of {} values and {} is not a multiple of it", out, in,
        layout.name, layout.block_size, in);
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 8;
  if (out > kMost / in) throw invalid_argument("weight of [{}, {}]: too large", out, in);
  HEARTH_CHECK(rows != nullptr);
}

Weight Weight::from_values(int64_t out, int64_t in, const std::vector<float>& values) {
  auto copy = std::make_shared<const std::vector<float>>(values);
  if (out < 1 || in < 1 || copy->size() / static_cast<uint64_t>(in) != static_cast<uint64_t>(out) ||
      copy->size() % static_cast<uint64_t>(in) != 0) {
    throw invalid_argument("weight of [{}, {}]: {} values given", out, in, copy->size());
  }
  const auto* rows = reinterpret_cast<const std::byte*>(copy->data());
  return Weight(Format::kF32, out, in, rows, std::move(copy));
}

void Weight::dequantize_rows(int64_t begin, int64_t end, float* values) const {
  HEARTH_CHECK(0 <= begin && begin <= end && end <= out_);
  if (begin < end) dequantize(format_, row(begin), (end - begin) * in_, values);
}

bool Weight::is_bf16() const { return packed_ && packed_->is_bf16(); }

void Weight::prepare(ComputeDtype dtype) {
  HEARTH_CHECK(defined());
  packed_.reset();
  const bool is_auto = dtype == ComputeDtype::kAuto;
  if (is_auto && kernels::can_pack(format_, in_)) packed_ = kernels::pack(format_, out_, in_, rows_);
  // With AVX2 alone products of bf16 numbers are no faster than exact ones.
  if (dtype == ComputeDtype::kBFloat16 || (is_auto && format_ == Format::kBF16 && isa() >= Isa::kAvx512))
    packed_ = kernels::pack_bf16(format_, out_, in_, rows_);
}

}  // namespace hearth
