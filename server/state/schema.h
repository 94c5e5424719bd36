// The tables of the state database, as the list of changes that made them. The list only ever grows at its end: what a
// released hearth has run is never edited.
#pragma once

#include <span>
#include <string_view>

namespace hearth {

std::span<const std::string_view> migrations();

}  // namespace hearth
