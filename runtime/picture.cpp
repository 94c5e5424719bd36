#include "runtime/picture.h"

#include <algorithm>

#include "runtime/base/error.h"

namespace hearth {

std::vector<std::array<int, 3>> grid_positions(int rows, std::span<const PlacedLayout> pictures) {
  std::vector<std::array<int, 3>> positions;
  const auto has_grid = [](const PlacedLayout& placed) { return placed.layout->grid[0] > 0; };
  if (std::ranges::none_of(pictures, has_grid)) return positions;
  int next = 0;
  const auto add_words = [&](int end) {
    for (; static_cast<int>(positions.size()) < end; ++next) positions.push_back({next, next, next});
  };
  for (const PlacedLayout& placed : pictures) {
    const auto [height, width] = placed.layout->grid;
    if (height == 0) continue;
    const std::vector<int>& places = placed.layout->feature_rows;
    HEARTH_CHECK(places.size() == static_cast<size_t>(height) * width);
    add_words(placed.begin + places.front());
    for (int row = 0; row < height; ++row)
      for (int column = 0; column < width; ++column) positions.push_back({next, next + row, next + column});
    next += std::max(height, width);
  }
  add_words(rows);
  return positions;
}

std::vector<std::array<int, 3>> grid_positions(int rows, std::span<const PlacedPicture> pictures) {
  std::vector<PlacedLayout> layouts;
  for (const auto& [begin, picture] : pictures) layouts.push_back({begin, &picture->layout()});
  return grid_positions(rows, layouts);
}

}  // namespace hearth
