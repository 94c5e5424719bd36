// Base64 (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth {

// The bytes that `text` encodes; nothing when it is malformed. '=' at the end may be missing.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace hearth
