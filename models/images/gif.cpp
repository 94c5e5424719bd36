// GIF by giflib: the first frame, in the rest of the canvas the transparent colour or colour 0, as in Pillow.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include <gif_lib.h>

#include "models/images/formats.h"

namespace hearth {
namespace {

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, CloseGif>;

int read(GifFileType* gif, GifByteType* to, int count) {
  auto& rest = *static_cast<std::string_view*>(gif->UserData);
  const size_t taken = std::min(rest.size(), static_cast<size_t>(std::max(count, 0)));
  std::memcpy(to, rest.data(), taken);
  rest.remove_prefix(taken);
  return static_cast<int>(taken);
}

Error broken_gif(const ImageFile& file, int code) {
  const char* reason = GifErrorString(code);
  return broken_image(file, "GIF", reason == nullptr ? "it ends too early" : reason);
}

// Reads to the first frame's description. Returns the index of the transparent colour before it.
std::optional<GifByteType> read_to_frame(const ImageFile& file, GifFileType* gif) {
  const auto check = [&](int result) {
    if (result != GIF_OK) throw broken_gif(file, gif->Error);
  };
  std::optional<GifByteType> transparent;
  while (true) {
    GifRecordType record;
    check(DGifGetRecordType(gif, &record));
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    if (record != EXTENSION_RECORD_TYPE) throw broken_image(file, "GIF", "it has no frame");
    int code = 0;
    GifByteType* block = nullptr;  // [0] is the length of what follows
    for (check(DGifGetExtension(gif, &code, &block)); block != nullptr; check(DGifGetExtensionNext(gif, &block)))
      if (code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4 && (block[1] & 1) != 0) transparent = block[4];
  }
  check(DGifGetImageDesc(gif));
  return transparent;
}

// Without a palette index i is grey i; colours that a palette does not have are black.
std::array<GifColorType, 256> palette_of(const GifFileType& gif) {
  std::array<GifColorType, 256> palette = {};
  const ColorMapObject* colours = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  if (colours != nullptr) {
    std::copy_n(colours->Colors, std::clamp(colours->ColorCount, 0, 256), palette.begin());
  } else {
    for (size_t i = 0; i < palette.size(); ++i) palette[i] = {GifByteType(i), GifByteType(i), GifByteType(i)};
  }
  return palette;
}

void paint(const GifColorType& colour, uint8_t* rgb) {
  rgb[0] = colour.Red;
  rgb[1] = colour.Green;
  rgb[2] = colour.Blue;
}

}  // namespace

Image decode_gif(const ImageFile& file) {
  std::string_view rest = file.bytes;
  int code = 0;
  const Gif gif(DGifOpen(&rest, read, &code));
  if (gif == nullptr) throw broken_gif(file, code);
  const auto transparent = read_to_frame(file, gif.get());
  const GifImageDesc& frame = gif->Image;
  if (frame.Width < 1 || frame.Height < 1) throw broken_image(file, "GIF", "its first frame is empty");
  Image image =
      allocate(file, std::max(gif->SWidth, frame.Left + frame.Width), std::max(gif->SHeight, frame.Top + frame.Height));
  const auto palette = palette_of(*gif);
  for (size_t i = 0; i < image.rgb.size(); i += 3) paint(palette[transparent.value_or(0)], image.rgb.data() + i);

  std::vector<GifPixelType> line(static_cast<size_t>(frame.Width));
  const auto read_rows = [&](int first, int step) {
    for (int y = first; y < frame.Height; y += step) {
      if (DGifGetLine(gif.get(), line.data(), frame.Width) != GIF_OK) throw broken_gif(file, gif->Error);
      uint8_t* to = image.row(frame.Top + y) + 3 * frame.Left;
      for (int x = 0; x < frame.Width; ++x) paint(palette[line[static_cast<size_t>(x)]], to + 3 * x);
    }
  };
  if (!frame.Interlace) {
    read_rows(0, 1);
  } else {
    for (const auto& [first, step] : {std::pair(0, 8), std::pair(4, 8), std::pair(2, 4), std::pair(1, 2)})
      read_rows(first, step);
  }
  return image;
}

}  // namespace hearth
