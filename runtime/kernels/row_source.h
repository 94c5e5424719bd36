// Rows of floats that a kernel reads block by block: from where they lie, or made when they are read.
#pragma once

#include <cstdint>
#include <functional>

namespace hearth::kernels {

class RowSource {
 public:
  // out gets rows [begin, end). Called from the pool's threads.
  using Make = std::function<void(int64_t begin, int64_t end, float* out)>;

  RowSource(const float* values, int64_t n) : values_(values), n_(n) {}  // [rows, n]
  explicit RowSource(const Make& make) : make_(&make) {}                 // which must outlive it

  // The same without its first rows.
  RowSource from(int64_t row) const {
    RowSource rest = *this;
    rest.first_ += row;
    return rest;
  }
  bool is_made() const { return make_ != nullptr; }
  // Rows [begin, end): in `scratch`, unless they lie somewhere already.
  const float* read(int64_t begin, int64_t end, float* scratch) const {
    if (!make_) return values_ + (first_ + begin) * n_;
    (*make_)(first_ + begin, first_ + end, scratch);
    return scratch;
  }

 private:
  const float* values_ = nullptr;
  int64_t n_ = 0, first_ = 0;
  const Make* make_ = nullptr;
};

}  // namespace hearth::kernels
