// tests/golden/optim, which make_optim.py wrote.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/base/file.h"

namespace hearth {

inline nlohmann::json optim_cases() { return nlohmann::json::parse(read_file("tests/golden/optim/cases.json")); }

inline std::vector<float> optim_floats() {
  const std::string bytes = read_file("tests/golden/optim/adamw.bin");
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

}  // namespace hearth
