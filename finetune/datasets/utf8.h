// Whether bytes from outside are text.
#pragma once

#include <string_view>

#include <utf8proc.h>

namespace hearth {

inline bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
    if (*bytes < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t length =
        utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (length < 1) return false;
    at += static_cast<size_t>(length);
  }
  return true;
}

}  // namespace hearth
