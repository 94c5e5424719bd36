// The pictures of tests/golden/make_images.py and what PIL makes of them.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "models/images/image.h"
#include "runtime/base/file.h"
#include "tests/support/sha256.h"

namespace hearth::test {

inline const std::string kImages = "tests/golden/images/";

inline nlohmann::json golden_images() { return nlohmann::json::parse(read_file(kImages + "images.json")); }

// As an entry of images.json.
inline nlohmann::json entry_of(const Image& image) {
  return {{"width", image.width},
          {"height", image.height},
          {"sha256", sha256(std::string(image.rgb.begin(), image.rgb.end()))}};
}

}  // namespace hearth::test
