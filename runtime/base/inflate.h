// What deflate has packed (RFC 1951), in one piece.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hearth {

enum class Deflated { kRaw, kGzip };  // kGzip: with RFC 1952's header and checksum

// Nothing for what is no whole stream of that kind, or would be more than `most` bytes: no more are ever made.
std::optional<std::string> inflated(std::string_view data, Deflated kind, size_t most);

}  // namespace hearth
