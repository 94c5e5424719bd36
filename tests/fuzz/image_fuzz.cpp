// The decoders of pictures on any bytes: they give a whole picture below the limits or throw Error.
#include <cstdint>
#include <string_view>

#include "models/images/decode_image.h"
#include "models/images/resize.h"
#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const hearth::Image image = hearth::decode_image({reinterpret_cast<const char*>(data), size}, "fuzz",
                                                     {.most_pixels = 1 << 16, .longest_side = 1 << 12});
    if (image.rgb.size() != size_t{3} * image.width * image.height) __builtin_trap();
    hearth::resize(image, 5, 7, hearth::Resampling::kBicubic);
  } catch (const hearth::Error& error) {
    if (error.code() != hearth::ErrorCode::kInvalidArgument) throw;
  }
  return 0;
}
