#include "models/images/decode_image.h"

#include <fmt/format.h>

#include "models/images/exif_orientation.h"
#include "models/images/formats.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

Image decode_unturned(const ImageFile& file) {
  if (file.bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(file);
  if (file.bytes.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(file);
  if (file.bytes.starts_with("RIFF") && file.bytes.find("WEBP") == 8) return decode_webp(file);
  if (file.bytes.starts_with("GIF87a") || file.bytes.starts_with("GIF89a")) return decode_gif(file);
  throw invalid_argument("{}: not a picture that hearth reads; it reads PNG, JPEG, WebP and GIF", file.place);
}

// The picture with the pixel at (x, y) taken from `origin` + x * `across` + y * `down`, in pixels of `image`.
Image rearranged(const Image& image, int width, int height, int64_t origin, int64_t across, int64_t down) {
  Image turned{width, height, std::vector<uint8_t>(image.rgb.size())};
  uint8_t* to = turned.rgb.data();
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = image.rgb.data() + 3 * (origin + y * down);
    for (int x = 0; x < width; ++x, from += 3 * across) {
      *to++ = from[0];
      *to++ = from[1];
      *to++ = from[2];
    }
  }
  return turned;
}

// As PIL's ImageOps.exif_transpose.
Image turned_upright(Image image, int orientation) {
  const int w = image.width, h = image.height;
  const int64_t row = w, last_row = row * (h - 1), last = last_row + w - 1;
  switch (orientation) {
    case 2:
      return rearranged(image, w, h, w - 1, -1, row);
    case 3:
      return rearranged(image, w, h, last, -1, -row);
    case 4:
      return rearranged(image, w, h, last_row, 1, -row);
    case 5:
      return rearranged(image, h, w, 0, row, 1);
    case 6:
      return rearranged(image, h, w, last_row, -row, 1);
    case 7:
      return rearranged(image, h, w, last, -row, -1);
    case 8:
      return rearranged(image, h, w, w - 1, row, -1);
    default:
      return image;
  }
}

}  // namespace

Image allocate(const ImageFile& file, int64_t width, int64_t height) {
  if (width < 1 || height < 1) throw invalid_argument("{}: the picture is empty", file.place);
  const ImageLimits& limits = file.limits;
  if (width > limits.longest_side || height > limits.longest_side || width > limits.most_pixels / height)
    throw invalid_argument(
        "{}: the picture has {} x {} pixels; at most {} in all and {} a side are taken, make it smaller", file.place,
        width, height, limits.most_pixels, limits.longest_side);
  Image image{static_cast<int>(width), static_cast<int>(height)};
  image.rgb.resize(static_cast<size_t>(width * height) * 3);
  return image;
}

Error broken_image(const ImageFile& file, std::string_view format, std::string_view reason) {
  std::string text;
  for (const char c : reason) text += c >= 0x20 && c < 0x7f ? c : '?';
  return invalid_argument("{}: the {} is broken or cut short: {}", file.place, format, text);
}

Image decode_image(std::string_view file, const std::string& place, const ImageLimits& limits) {
  if (static_cast<int64_t>(file.size()) > limits.most_bytes)
    throw invalid_argument("{}: the picture's file has {} bytes; at most {} are taken, make it smaller", place,
                           file.size(), limits.most_bytes);
  return turned_upright(decode_unturned({file, place, limits}), exif_orientation(file));
}

}  // namespace hearth
