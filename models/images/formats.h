// What the decoders of the formats share: decode_image.h calls one of them. None prints, and none takes memory for
// pixels before allocate() has checked the size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/images/decode_image.h"
#include "models/images/image.h"
#include "runtime/base/error.h"

namespace hearth {

struct ImageFile {
  std::string_view bytes;
  const std::string& place;
  const ImageLimits& limits;
};

// A black picture. Throws kInvalidArgument for what is empty or above a limit.
Image allocate(const ImageFile& file, int64_t width, int64_t height);

// "upload: the PNG is broken or cut short: ..."; `reason` is a library's and may hold any bytes.
Error broken_image(const ImageFile& file, std::string_view format, std::string_view reason);

// Each returns the pixels as they lie in the file, without the turn that EXIF asks for. They throw kInvalidArgument.
Image decode_jpeg(const ImageFile& file);
Image decode_png(const ImageFile& file);
Image decode_webp(const ImageFile& file);
Image decode_gif(const ImageFile& file);

}  // namespace hearth
