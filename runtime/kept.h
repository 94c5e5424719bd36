// What a backward function keeps of a tensor that it reads. Most of the memory of training is that, so it is as little
// as the tape allows: nothing of what can be made again from what is kept anyway (the output of a norm, of a gate),
// half where the tape rounds, else the tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "runtime/kernels/row_source.h"
#include "runtime/tensor.h"

namespace hearth {

enum class KeptPrecision {
  kFloat32,   // backward functions read what the forward computed, to the bit
  kBFloat16,  // rounded to nearest even
};

class Kept {
 public:
  using Make = kernels::RowSource::Make;

  Kept() = default;
  Kept(const Tensor& x, KeptPrecision precision);
  // x is what `make` makes.
  Kept(const Tensor& x, std::shared_ptr<const Make> make) : place_(x.on_tape()), held_(std::move(make)) {}

  // Its shape and place on the tape; without values.
  const Tensor& place() const { return place_; }
  // All of it. Its gradient belongs to place().
  Tensor value() const;
  // Block by block; valid as long as this is.
  kernels::RowSource rows() const;

 private:
  // Values where they are exact; else what makes them, which owns what it reads.
  using Held = std::variant<Tensor, std::shared_ptr<const Make>>;
  Tensor place_;
  Held held_;
};

// Some rows of something kept, for a function that makes others of them.
class KeptRows {
 public:
  KeptRows(const Kept& kept, int64_t begin, int64_t end);
  const float* data() const { return data_; }

 private:
  Tensor scratch_;
  const float* data_;
};

}  // namespace hearth
