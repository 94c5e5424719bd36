// Storage of keys and values in blocks of 16 tokens; who owns which block is the engine's business
// (engine/block_pool.h). Within a block keys lie transposed, so that one vector register holds one dimension of 16
// tokens:
//   [layer][block] { K [num_kv_heads][head_dim][16]  V [num_kv_heads][16][head_dim] }
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth {

inline constexpr int kBlockTokens = 16;

// Block ids of one sequence: token j lives in table[j / kBlockTokens].
using BlockTable = std::vector<int32_t>;

enum class KvFormat { kF16, kF32 };

class KvCache {
 public:
  struct Dims {
    int num_layers, num_kv_heads, head_dim;
  };
  // What it takes once every block has been written. Throws kInvalidArgument for sizes below 1, kResourceExhausted for
  // more than can be addressed.
  static size_t bytes_for(Dims dims, int num_blocks, KvFormat format);

  // Reserves address space for all blocks; pages become resident when first written.
  KvCache(Dims dims, int num_blocks, KvFormat format);
  ~KvCache();
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  const Dims& dims() const { return dims_; }
  int num_blocks() const { return num_blocks_; }
  KvFormat format() const { return format_; }

  // Elements (f16 or f32) of one block's K, and as many of its V.
  size_t block_elements() const { return static_cast<size_t>(dims_.num_kv_heads) * dims_.head_dim * kBlockTokens; }
  std::byte* keys(int layer, int32_t block) { return data_ + offset(layer, block); }
  std::byte* values(int layer, int32_t block) { return keys(layer, block) + block_elements() * element_bytes(); }
  size_t element_bytes() const { return element_bytes(format_); }

 private:
  static size_t element_bytes(KvFormat format) { return format == KvFormat::kF16 ? 2 : 4; }
  size_t offset(int layer, int32_t block) const {
    return (static_cast<size_t>(layer) * num_blocks_ + block) * 2 * block_elements() * element_bytes();
  }
  Dims dims_;
  int num_blocks_;
  KvFormat format_;
  size_t bytes_;
  std::byte* data_;
};

}  // namespace hearth
