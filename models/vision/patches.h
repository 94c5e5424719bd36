// A picture's pixels as the rows that a tower's first linear map reads, and rows of patches that become one.
#pragma once

#include <span>

#include "models/vision/image_processor.h"
#include "runtime/tensor.h"

namespace hearth {

// Those of a tile that show nothing but the picture: its padding is left out.
struct PatchGrid {
  int rows, columns;
};
PatchGrid patch_grid(const PixelTile& tile, int patch_size);

// The pixels of each patch in a row, patches tile by tile and row by row: channel, then frame (all are the same), then
// row, then column, as a convolution's weights have them.  -> [patches, 3 * frames * patch_size * patch_size]
Tensor patches_of(std::span<const PixelTile> tiles, int patch_size, int frames = 1);

// The rows of x in this order, each `count` of them one row.  x [*, n] -> [order.size() / count, count * n]
Tensor side_by_side(const Tensor& x, std::span<const int> order, int count);

}  // namespace hearth
