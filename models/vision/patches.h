// A picture's pixels as the rows that a tower's first linear map reads.
#pragma once

#include <span>

#include "models/vision/image_processor.h"
#include "runtime/tensor.h"

namespace hearth {

// The pixels of each patch in a row, patches tile by tile and row by row: channel, then frame (all are the same), then
// row, then column, as a convolution's weights have them.  -> [patches, 3 * frames * patch_size * patch_size]
Tensor patches_of(std::span<const PixelTile> tiles, int patch_size, int frames = 1);

}  // namespace hearth
