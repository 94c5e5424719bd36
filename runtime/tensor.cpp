#include "runtime/tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include <malloc.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// A shared_ptr's control block lies in the first kHeader bytes of the buffer that it counts: one allocation a tensor.
constexpr size_t kAlignment = 64, kHeader = kAlignment;

// Buffers that no tensor uses, by size class: powers of two in eight steps, so a buffer is at most an eighth larger
// than asked for. Under AddressSanitizer nothing is kept, so that it sees every use after free and past the end.
class BufferPool {
 public:
  ~BufferPool() { clear(); }

  // kHeader bytes and `bytes` more. Classes are of the latter, so that round sizes stay round.
  std::byte* take(size_t bytes) {
    const SizeClass wanted = size_class(bytes);
    {
      const std::lock_guard lock(mutex_);
      memory_.live += static_cast<int64_t>(wanted.bytes);
      memory_.peak = std::max(memory_.peak, memory_.live);
      Free& free = free_[wanted.index];
      free.class_bytes = wanted.bytes;
      free.last_taken = ++takes_;
      if (!free.buffers.empty()) return take_from(free);
      make_room();
    }
    void* buffer = std::aligned_alloc(kAlignment, kHeader + wanted.bytes);
    if (!buffer) throw resource_exhausted("out of memory: a tensor of {} bytes cannot be allocated", bytes);
    return static_cast<std::byte*>(buffer);
  }

  void give(std::byte* buffer, size_t bytes) noexcept {
    const SizeClass given = size_class(bytes);
    const std::lock_guard lock(mutex_);
    memory_.live -= static_cast<int64_t>(given.bytes);
    if (!kKept || given.bytes > most_bytes_) return std::free(buffer);
    try {
      // Starting over is how sizes that are not asked for any more leave.
      if (kept_bytes_ + given.bytes > most_bytes_) clear();
      free_[given.index].buffers.push_back(buffer);
      kept_bytes_ += given.bytes;
    } catch (const std::bad_alloc&) {
      std::free(buffer);
    }
  }

  TensorMemory memory() {
    const std::lock_guard lock(mutex_);
    return memory_;
  }
  void start_peak() {
    const std::lock_guard lock(mutex_);
    memory_.peak = memory_.live;
  }
  void keep(size_t most_bytes) {
    const std::lock_guard lock(mutex_);
    // Large buffers go back to the system when they are freed. glibc would raise its bound to 32 MiB and keep them in a
    // heap, of which steps of ever other sizes leave a third in pieces.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
    most_bytes_ = most_bytes;
    most_together_ = memory_.live + static_cast<int64_t>(most_bytes);
    if (kept_bytes_ > most_bytes_) clear();
  }

 private:
#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kKept = false;
#else
  static constexpr bool kKept = true;
#endif
  static constexpr size_t kSmallest = 256, kSteps = 8;

  struct SizeClass {
    size_t index, bytes;
  };
  struct Free {
    std::vector<std::byte*> buffers;
    size_t class_bytes = 0;
    uint64_t last_taken = 0;
  };

  std::byte* take_from(Free& free) noexcept {
    std::byte* buffer = free.buffers.back();
    free.buffers.pop_back();
    kept_bytes_ -= free.class_bytes;
    return buffer;
  }

  // Lets go of what is kept, the sizes first that were asked for longest ago, until all fits together: a step of other
  // sizes than the last one's must not take the memory of both.
  void make_room() noexcept {
    while (kept_bytes_ > 0 && memory_.live + static_cast<int64_t>(kept_bytes_) > most_together_) {
      Free* oldest = nullptr;
      for (Free& free : free_)
        if (!free.buffers.empty() && (!oldest || free.last_taken < oldest->last_taken)) oldest = &free;
      std::free(take_from(*oldest));
    }
  }

  static SizeClass size_class(size_t bytes) {
    if (!kKept) return {0, (bytes + kAlignment - 1) / kAlignment * kAlignment};
    if (bytes <= kSmallest) return {0, kSmallest};
    const size_t power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
    const size_t step = (size_t{1} << power) / kSteps;
    const size_t steps = (bytes - (size_t{1} << power) + step - 1) / step;  // 1..kSteps
    return {power * kSteps + steps, (size_t{1} << power) + steps * step};
  }

  void clear() noexcept {
    for (Free& free : free_) {
      for (std::byte* buffer : free.buffers) std::free(buffer);
      free.buffers.clear();
    }
    kept_bytes_ = 0;
  }

  std::mutex mutex_;
  std::array<Free, 64 * kSteps + kSteps + 1> free_;
  size_t kept_bytes_ = 0, most_bytes_ = size_t{64} << 20;
  int64_t most_together_ = std::numeric_limits<int64_t>::max();
  uint64_t takes_ = 0;
  TensorMemory memory_;
};

BufferPool& pool() {
  static BufferPool buffers;
  return buffers;
}

template <class T>
struct HeaderAllocator {
  using value_type = T;
  std::byte* buffer;
  size_t bytes;

  HeaderAllocator(std::byte* b, size_t n) : buffer(b), bytes(n) {}
  template <class U>
  HeaderAllocator(const HeaderAllocator<U>& other) : buffer(other.buffer), bytes(other.bytes) {}  // NOLINT: converts

  T* allocate(size_t) {
    static_assert(sizeof(T) <= kHeader);
    return reinterpret_cast<T*>(buffer);
  }
  void deallocate(T*, size_t) noexcept { pool().give(buffer, bytes); }
  template <class U>
  bool operator==(const HeaderAllocator<U>& other) const {
    return buffer == other.buffer;
  }
};

std::shared_ptr<float> allocate(const Shape& shape) {
  const size_t bytes = shape.size() * sizeof(float);
  std::byte* buffer = pool().take(bytes);
  return {reinterpret_cast<float*>(buffer + kHeader), [](float*) {}, HeaderAllocator<float>(buffer, bytes)};
}

}  // namespace

Shape::Shape(std::initializer_list<int64_t> dims) {
  HEARTH_CHECK(dims.size() <= dims_.size());
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 8;  // bytes of f32, with a margin
  int64_t size = 1;
  for (const int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && size > kMost / dim)) {
      throw internal_error("a tensor's dimension {} is {}: it must be at least 0 and the product below 2^60", rank_,
                           dim);
    }
    size *= dim;
    dims_[rank_++] = dim;
  }
}

size_t Shape::size() const {
  int64_t size = 1;
  for (int i = 0; i < rank_; ++i) size *= dims_[i];
  return static_cast<size_t>(size);
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(dims_.begin(), dims_.begin() + rank_, ", "));
}

Tensor::Tensor(Shape shape) : shape_(shape), buffer_(allocate(shape)) {}

Tensor Tensor::zeros(Shape shape) {
  Tensor y(shape);
  std::memset(y.data(), 0, y.size() * sizeof(float));
  return y;
}

Tensor Tensor::from(Shape shape, std::initializer_list<float> values) {
  Tensor y(shape);
  if (values.size() != y.size()) {
    throw internal_error("a tensor {} is made from {} values, must be from {}", shape.to_string(), values.size(),
                         y.size());
  }
  std::copy(values.begin(), values.end(), y.data());
  return y;
}

Tensor Tensor::on_tape() const {
  Tensor place;
  place.shape_ = shape_;
  place.node_ = node_;
  return place;
}

int64_t Tensor::rows() const {
  int64_t rows = 1;
  for (int i = 0; i + 1 < shape_.rank(); ++i) rows *= shape_[i];
  return rows;
}

TensorMemory tensor_memory() { return pool().memory(); }
void start_tensor_peak() { pool().start_peak(); }
void keep_tensor_buffers(size_t most_bytes) { pool().keep(most_bytes); }

}  // namespace hearth
