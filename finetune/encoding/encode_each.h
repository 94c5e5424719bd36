// Many examples encoded by many threads, always with the same result.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace hearth {

// Calls encode(i) for each of `count`. -> why it threw, for each; empty: it did not. Throws on internal errors.
std::vector<std::string> encode_each(size_t count, const std::function<void(size_t)>& encode);

}  // namespace hearth
