// The reader of reference log-probabilities on any bytes: whole records, or nothing.
#include <cmath>
#include <cstdint>
#include <string_view>

#include "finetune/objectives/reference_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto found = hearth::parse_reference_cache({reinterpret_cast<const char*>(data), size});
  if (!found) return 0;
  for (const auto& [hash, sums] : *found)
    if (!std::isfinite(sums[0]) || !std::isfinite(sums[1])) __builtin_trap();
  if (found->size() * 32 > size) __builtin_trap();
  return 0;
}
