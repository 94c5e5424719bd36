#include "runtime/kv_cache.h"

#include <cerrno>
#include <cstring>
#include <limits>

#include <sys/mman.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

size_t checked_product(size_t a, size_t b) {
  size_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > std::numeric_limits<size_t>::max() / 4)
    throw resource_exhausted("the KV cache is too large for this machine's addresses: use fewer cache tokens");
  return product;
}

}  // namespace

size_t KvCache::bytes_for(Dims dims, int num_blocks, KvFormat format) {
  if (dims.num_layers < 1 || dims.num_kv_heads < 1 || dims.head_dim < 1 || num_blocks < 1) {
    throw invalid_argument("KV cache of {} layers, {} heads of {} and {} blocks: each must be at least 1",
                           dims.num_layers, dims.num_kv_heads, dims.head_dim, num_blocks);
  }
  const size_t block = checked_product(checked_product(dims.num_kv_heads, dims.head_dim), kBlockTokens);
  return checked_product(checked_product(checked_product(dims.num_layers, num_blocks), 2 * element_bytes(format)),
                         block);
}

KvCache::KvCache(Dims dims, int num_blocks, KvFormat format)
    : dims_(dims), num_blocks_(num_blocks), format_(format), bytes_(bytes_for(dims, num_blocks, format)) {
  void* data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    throw resource_exhausted("the KV cache of {} MiB cannot be reserved ({}): use fewer cache tokens", bytes_ >> 20,
                             std::strerror(errno));
  }
  data_ = static_cast<std::byte*>(data);
}

KvCache::~KvCache() { munmap(data_, bytes_); }

}  // namespace hearth
