// The formats of JSON Schema that are enforced, as patterns of whole strings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hearth {

// Nothing: it is not enforced.
std::optional<std::string> format_pattern(std::string_view format);
std::span<const std::string_view> format_names();

}  // namespace hearth
