// Memory whose last byte lies against a page that may not be touched: kernels are not instrumented by sanitizers, so
// this is how a read or write past the end of a buffer shows.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>

#include <sys/mman.h>
#include <unistd.h>

namespace hearth {

template <class T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t count) : count_(count) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (count * sizeof(T) + page - 1) / page * page;
    size_ = used + page;
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<std::byte*>(memory);
    mprotect(memory_ + used, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(memory_ + used - count * sizeof(T));
  }
  explicit GuardedBuffer(std::span<const T> values) : GuardedBuffer(values.size()) {
    if (!values.empty()) std::memcpy(data_, values.data(), values.size_bytes());
  }
  ~GuardedBuffer() { munmap(memory_, size_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() const { return data_; }
  size_t size() const { return count_; }

 private:
  size_t count_, size_ = 0;
  std::byte* memory_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace hearth
