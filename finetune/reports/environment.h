// Settings that trackers take from the environment.
#pragma once

#include <cstdlib>
#include <string>

namespace hearth {

inline std::string environment(const char* name, const std::string& otherwise = {}) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

}  // namespace hearth
