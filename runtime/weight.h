// A frozen matrix in its storage format. Quantisation is a property of a Weight and never of a Tensor: only
// ops::linear, ops::embedding and the heads (token_logprobs, logits) look inside.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "runtime/kernels/format.h"

namespace hearth {

namespace kernels {
struct PackedWeight;
}

enum class ComputeDtype {
  kAuto,      // the fast path: integer dot products on 16-bit activations for quantised formats, with AVX-512 as
              // kBFloat16 for BF16; else exact f32
  kFloat32,   // exact f32 arithmetic on the dequantised values
  kBFloat16,  // weights and activations rounded to bf16, sums in f32; gradients too
};

// [out, in], immutable. Copies share the storage.
class Weight {
 public:
  Weight() = default;
  // `rows` holds `out` rows of row_bytes(format, in) bytes each and stays alive through `owner` (a mapped file, a
  // buffer). Throws kInvalidArgument when `in` is not a multiple of the format's block.
  Weight(Format format, int64_t out, int64_t in, const std::byte* rows, std::shared_ptr<const void> owner);
  // Owns a copy of `values`, f32 [out, in].
  static Weight from_values(int64_t out, int64_t in, const std::vector<float>& values);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  Format format() const { return format_; }
  const std::byte* row(int64_t r) const { return rows_ + r * row_bytes(format_, in_); }
  bool defined() const { return rows_ != nullptr; }

  // Values of rows [begin, end) -> f32 [end - begin, in]. Exact in every format.
  void dequantize_rows(int64_t begin, int64_t end, float* values) const;

  // Lays the matrix out for the fast kernels of this CPU. Done once at load, for the weights that matmul uses; without
  // it ops compute in exact f32. A copy in bf16 stands for the rows in every product, whatever their format.
  void prepare(ComputeDtype dtype);
  const kernels::PackedWeight* packed() const { return packed_.get(); }  // null: exact f32
  bool is_bf16() const;                                                  // prepared for kBFloat16

 private:
  int64_t out_ = 0, in_ = 0;
  Format format_ = Format::kF32;
  const std::byte* rows_ = nullptr;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const kernels::PackedWeight> packed_;
};

}  // namespace hearth
