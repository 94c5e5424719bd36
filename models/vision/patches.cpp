#include "models/vision/patches.h"

#include <algorithm>

namespace hearth {

Tensor patches_of(std::span<const PixelTile> tiles, int patch_size, int frames) {
  int64_t patches = 0;
  for (const PixelTile& tile : tiles) patches += int64_t{tile.height / patch_size} * (tile.width / patch_size);
  const int64_t pixels = int64_t{patch_size} * patch_size;
  Tensor x({patches, 3 * frames * pixels});
  float* out = x.data();
  for (const PixelTile& tile : tiles)
    for (int row = 0; row < tile.height / patch_size; ++row)
      for (int column = 0; column < tile.width / patch_size; ++column)
        for (int channel = 0; channel < 3; ++channel) {
          const float* first = out;
          for (int y = 0; y < patch_size; ++y) {
            const int64_t line = (int64_t{channel} * tile.height + row * patch_size + y) * tile.width;
            out = std::copy_n(tile.pixels.data() + line + column * patch_size, patch_size, out);
          }
          for (int frame = 1; frame < frames; ++frame) out = std::copy_n(first, pixels, out);
        }
  return x;
}

}  // namespace hearth
