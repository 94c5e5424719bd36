// gzip for clients that do not take it.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// Of data that this program holds itself; throws kInternal where it is no gzip.
std::string gunzip(std::string_view data);

}  // namespace hearth
