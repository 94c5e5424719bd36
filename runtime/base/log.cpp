#include "runtime/base/log.h"

#include <cstdlib>
#include <memory>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

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

}  // namespace

void initialize(Level level) {
  auto logger = std::make_shared<spdlog::logger>("hearth", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  const char* chosen = std::getenv("HEARTH_LOG");
  logger->set_level(chosen ? spdlog::level::from_str(chosen) : severity(level));
  spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view line) { spdlog::log(severity(level), spdlog::string_view_t(line)); }

}  // namespace hearth::log
