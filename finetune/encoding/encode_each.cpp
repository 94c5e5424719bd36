#include "finetune/encoding/encode_each.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"

namespace hearth {

// Examples differ in length, so threads take them one after another.
std::vector<std::string> encode_each(size_t count, const std::function<void(size_t)>& encode) {
  constexpr size_t kFewest = 8;  // a thread
  std::vector<std::string> refused(count);
  std::atomic<size_t> next = 0;
  const auto wanted = std::min<int64_t>(num_threads(), static_cast<int64_t>(count / kFewest));
  on_threads(wanted, [&](int64_t, int64_t) {
    for (size_t i = next++; i < count; i = next++) {
      try {
        encode(i);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInternal) throw;
        refused[i] = error.what();
      }
    }
  });
  return refused;
}

}  // namespace hearth
