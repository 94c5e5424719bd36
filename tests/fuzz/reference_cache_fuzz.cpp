// The reader of reference log-probabilities on any bytes: whole records with finite sums.
#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "finetune/objectives/reference_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::unordered_map<uint64_t, double> sums;
  const size_t read = hearth::parse_reference_records({reinterpret_cast<const char*>(data), size}, sums);
  if (read > size || sums.size() * 24 > read) __builtin_trap();
  for (const auto& [hash, sum] : sums)
    if (!std::isfinite(sum)) __builtin_trap();
  return 0;
}
