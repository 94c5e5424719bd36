#include "models/vision/patches.h"

#include <algorithm>
#include <vector>

#include "runtime/ops/ops.h"

namespace hearth {

PatchGrid patch_grid(const PixelTile& tile, int patch_size) {
  return {tile.shown_height / patch_size, tile.shown_width / patch_size};
}

Tensor patches_of(std::span<const PixelTile> tiles, int patch_size, int frames) {
  int64_t patches = 0;
  for (const PixelTile& tile : tiles) {
    const PatchGrid grid = patch_grid(tile, patch_size);
    patches += int64_t{grid.rows} * grid.columns;
  }
  const int64_t pixels = int64_t{patch_size} * patch_size;
  Tensor x({patches, 3 * frames * pixels});
  float* out = x.data();
  for (const PixelTile& tile : tiles) {
    const PatchGrid grid = patch_grid(tile, patch_size);
    for (int row = 0; row < grid.rows; ++row)
      for (int column = 0; column < grid.columns; ++column)
        for (int channel = 0; channel < 3; ++channel) {
          const float* first = out;
          for (int y = 0; y < patch_size; ++y) {
            const int64_t line = (int64_t{channel} * tile.height + row * patch_size + y) * tile.width;
            out = std::copy_n(tile.pixels.data() + line + column * patch_size, patch_size, out);
          }
          for (int frame = 1; frame < frames; ++frame) out = std::copy_n(first, pixels, out);
        }
  }
  return x;
}

Tensor side_by_side(const Tensor& x, std::span<const int> order, int count) {
  Tensor joined;
  for (int i = 0; i < count; ++i) {
    std::vector<int> rows;
    for (size_t row = i; row < order.size(); row += count) rows.push_back(order[row]);
    const Tensor part = ops::gather_rows(x, rows);
    joined = i == 0 ? part : ops::join_columns(joined, part, 1);
  }
  return joined;
}

}  // namespace hearth
