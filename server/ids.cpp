#include "server/ids.h"

#include <random>

#include <fmt/format.h>

namespace hearth {

std::string random_id(std::string_view prefix) {
  thread_local std::random_device random;
  return fmt::format("{}{:08x}{:08x}{:08x}", prefix, random(), random(), random());
}

}  // namespace hearth
