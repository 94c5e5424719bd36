// A contiguous row-major f32 array with value semantics: copies share the buffer, ops never write to an input. Buffers
// come from a pool, so an eager op costs nanoseconds. Gradients are the tape's business (tape.h); storage formats are
// Weight's (weight.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

namespace hearth {

// Up to four dimensions.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i < 0 ? i + rank_ : i]; }  // negative counts from the end
  size_t size() const;                                                      // product of the dimensions; 1 for rank 0
  bool operator==(const Shape&) const = default;
  std::string to_string() const;  // "[5, 32]"

 private:
  std::array<int64_t, 4> dims_{};
  int rank_ = 0;
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape);  // values are undefined until written
  static Tensor zeros(Shape shape);
  static Tensor from(Shape shape, std::initializer_list<float> values);

  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t rows() const;  // product of all dimensions but the last
  size_t size() const { return shape_.size(); }
  bool defined() const { return buffer_ != nullptr; }

  float* data() { return buffer_.get(); }
  const float* data() const { return buffer_.get(); }
  float* row(int64_t r) { return data() + r * dim(-1); }
  const float* row(int64_t r) const { return data() + r * dim(-1); }

  bool needs_grad() const { return node_ >= 0; }
  // Its shape and place on the tape without the values: all that a backward function keeps of an input it does not
  // read.
  Tensor on_tape() const;

 private:
  friend class Tape;
  Shape shape_;
  std::shared_ptr<float> buffer_;
  int node_ = -1;  // index on the tape that recorded it; -1 = constant
};

// Bytes of the buffers of all tensors of the process: now, and at most since start_tensor_peak().
struct TensorMemory {
  int64_t live = 0, peak = 0;
};
TensorMemory tensor_memory();
void start_tensor_peak();
// How much of what freed tensors leave is kept for the next ones; 64 MiB at first. From a call on, tensors and what is
// kept take no more together than the tensors alive now and `most_bytes`, unless the tensors do alone.
void keep_tensor_buffers(size_t most_bytes);

}  // namespace hearth
