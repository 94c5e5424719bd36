// The time as the state database keeps it.
#pragma once

#include <chrono>
#include <cstdint>

namespace hearth {

inline int64_t unix_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace hearth
