#include "runtime/base/log.h"

#include <cstdlib>
#include <memory>
#include <optional>

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

}  // namespace

void initialize(Level level) {
  auto logger = std::make_shared<spdlog::logger>("hearth", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  logger->set_level(severity(chosen_level().value_or(level)));
  spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view line) { spdlog::log(severity(level), spdlog::string_view_t(line)); }

}  // namespace hearth::log
