// Shape checks of ops. A wrong shape is our own bug: kInternal, naming the op, the rule and what was found.
#pragma once

#include "runtime/base/error.h"
#include "runtime/tensor.h"

namespace hearth::ops {

// require(x.dim(-1) == n, "rms_norm", "x is {}, its last dimension must be {}", x.shape(), n);
template <class... Args>
void require(bool holds, const char* op, fmt::format_string<Args...> rule, Args&&... found) {
  if (!holds) [[unlikely]]
    throw internal_error("{}: {}", op, fmt::format(rule, std::forward<Args>(found)...));
}

}  // namespace hearth::ops

template <>
struct fmt::formatter<hearth::Shape> : fmt::formatter<std::string> {
  auto format(const hearth::Shape& shape, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(shape.to_string(), context);
  }
};
