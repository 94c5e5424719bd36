// What memory there is, as Linux and the control group of this process count it, and amounts of it as users write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

// Of the machine, or what the control group allows where that is less.
int64_t total_memory();
// What this process may take: its resident bytes, and its share of what the machine and its control group have left for
// so many processes.
int64_t available_memory(int processes = 1);
int64_t resident_memory();

// "8GiB", "1.5 GiB", "500MB", "4096": bytes, with KiB, MiB, GiB, TiB (1024) or kB, MB, GB, TB (1000). Throws
// kInvalidArgument for anything else and for what is not at least one byte and below 2^60.
int64_t parse_memory(std::string_view text);
// "98.4 MiB"
std::string format_memory(int64_t bytes);

}  // namespace hearth
