// Identifiers that clients see: "req_...", "chatcmpl-...".
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// The prefix and 24 random hexadecimal digits.
std::string random_id(std::string_view prefix);

}  // namespace hearth
