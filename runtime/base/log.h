// Logging: one line an event, to stderr, never a secret and never a prompt's text. log::info("{} loaded in {:.1f} s",
// name, seconds); As text, or each line a JSON object {"time", "level", "message"} and the event's fields.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace hearth::log {

enum class Level { kInfo, kWarn, kError };

// To be called by main. HEARTH_LOG (info, warn, error) is the least level that is written, else `level`. Throws
// kInvalidArgument when it is something else.
void initialize(Level level = Level::kInfo);

enum class Format { kText, kJson };
void set_format(Format format);

// What programs read of an event besides its line; only in JSON, where empty texts are left out.
struct Field {
  Field(std::string_view field, std::string_view text) : name(field), value(text) {}
  Field(std::string_view field, std::integral auto number) : name(field), value(static_cast<int64_t>(number)) {}
  Field(std::string_view field, double number) : name(field), value(number) {}
  std::string_view name;
  std::variant<std::string_view, int64_t, double> value;
};

void write(Level level, std::string_view line, std::initializer_list<Field> fields = {});

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
