// A picture in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth {

struct Image {
  int width = 0, height = 0;      // at least 1
  std::vector<uint8_t> rgb = {};  // [height, width, 3]

  const uint8_t* row(int y) const {
    return rgb.data() + size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(y);
  }
  uint8_t* row(int y) { return rgb.data() + size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(y); }
};

}  // namespace hearth
