// A buffer that a thread keeps from call to call, so that kernels allocate nothing in the steady state.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace hearth::kernels {

class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { std::free(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // `size` bytes, 64-byte aligned, of any content; valid until the next call. Throws std::bad_alloc.
  std::byte* bytes(size_t size) {
    if (size > size_) {
      const size_t rounded = (size + size / 4 + 63) / 64 * 64;
      std::free(data_);
      size_ = 0;
      data_ = static_cast<std::byte*>(std::aligned_alloc(64, rounded));
      if (!data_) throw std::bad_alloc();
      size_ = rounded;
    }
    return data_;
  }
  template <class T>
  T* of(size_t count) {
    return reinterpret_cast<T*>(bytes(count * sizeof(T)));
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace hearth::kernels
