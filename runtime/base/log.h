// Logging: one line an event, to stderr, never a secret and never a prompt's text. log::info("{} loaded in {:.1f} s",
// name, seconds);
#pragma once

#include <spdlog/spdlog.h>

namespace hearth::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

// To be called once by main: stderr, level from HEARTH_LOG (debug, info, warn, error; info when unset).
void initialize();

}  // namespace hearth::log
