// Logging: one line an event, to stderr, never a secret and never a prompt's text. log::info("{} loaded in {:.1f} s",
// name, seconds);
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace hearth::log {

enum class Level { kInfo, kWarn, kError };

// To be called by main. HEARTH_LOG (info, warn, error) is the least level that is written, else `level`. Throws
// kInvalidArgument when it is something else.
void initialize(Level level = Level::kInfo);

void write(Level level, std::string_view line);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hearth::log
