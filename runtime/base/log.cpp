#include "runtime/base/log.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "runtime/base/error.h"

namespace hearth::log {
namespace {

spdlog::level::level_enum severity(Level level) {
  switch (level) {
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      break;
  }
  return spdlog::level::err;
}

std::optional<Level> chosen_level() {
  const char* name = std::getenv("HEARTH_LOG");
  if (!name || !*name) return std::nullopt;
  for (const auto& [known, level] :
       {std::pair("info", Level::kInfo), std::pair("warn", Level::kWarn), std::pair("error", Level::kError)})
    if (std::string_view(name) == known) return level;
  throw invalid_argument("HEARTH_LOG={}: must be info, warn or error", name);
}

std::atomic<Format> chosen_format{Format::kText};
constexpr const char* kTextPattern = "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v";
constexpr const char* kBarePattern = "%v";

// A text from outside may be any bytes; those that are not UTF-8 become U+FFFD.
std::string as_json(Level level, std::string_view line, std::initializer_list<Field> fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  nlohmann::ordered_json object;
  object["time"] =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
  object["level"] = level == Level::kInfo ? "info" : level == Level::kWarn ? "warn" : "error";
  object["message"] = line;
  for (const Field& field : fields)
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>)
            if (value.empty()) return;
          object[std::string(field.name)] = value;
        },
        field.value);
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

void initialize(Level level) {
  auto logger = std::make_shared<spdlog::logger>("hearth", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern(chosen_format == Format::kText ? kTextPattern : kBarePattern);
  logger->set_level(severity(chosen_level().value_or(level)));
  spdlog::set_default_logger(std::move(logger));
}

void set_format(Format format) {
  chosen_format = format;
  spdlog::set_pattern(format == Format::kText ? kTextPattern : kBarePattern);
}

void write(Level level, std::string_view line, std::initializer_list<Field> fields) {
  if (!spdlog::should_log(severity(level))) return;
  if (chosen_format == Format::kText) return spdlog::log(severity(level), spdlog::string_view_t(line));
  spdlog::log(severity(level), spdlog::string_view_t(as_json(level, line, fields)));
}

}  // namespace hearth::log
