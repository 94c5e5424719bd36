// PNG, JPEG, WebP and GIF files from outside to pixels, as PIL's Image.open(...).convert("RGB") has them after
// ImageOps.exif_transpose. What a file is, its first bytes say. Of an animation the first frame.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/images/image.h"

namespace hearth {

struct ImageLimits {
  int64_t most_bytes = 20 << 20;           // of the file
  int64_t most_pixels = int64_t{1} << 26;  // width * height; memory is taken only for what is below
  int longest_side = 1 << 15;
};

// `place` names the picture in messages. Throws kInvalidArgument for what is no picture of these kinds, is cut short or
// broken, or is above a limit (with the limit); never takes memory before the size is checked.
Image decode_image(std::string_view file, const std::string& place, const ImageLimits& limits = {});

}  // namespace hearth
