// PNG by libpng, without the chunks that Pillow's convert("RGB") does not look at (gamma, profiles, transparency).
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include <png.h>

#include "models/images/formats.h"

namespace hearth {
namespace {

// libpng reports an error by a function that must not return: here it jumps back into the step that was called. The
// steps hold nothing that a jump would leave behind; what they need is a member.
class PngReader {
 public:
  explicit PngReader(std::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Each step returns false where libpng reports an error: message().
  bool read_header() {
    if (info_ == nullptr) return false;
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, read);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    return true;
  }
  // Then the rows are indices into the palette, 16-bit grey (big-endian) or RGB.
  bool start() {
    if (setjmp(png_jmpbuf(png_))) return false;
    if (indexed()) {
      png_set_packing(png_);
    } else if (!grey16()) {
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool read_rows(uint8_t* pixels) {
    if (setjmp(png_jmpbuf(png_))) return false;
    for (int pass = 0; pass < passes_; ++pass)
      for (png_uint_32 y = 0; y < height(); ++y) png_read_row(png_, pixels + y * row_bytes(), nullptr);
    return true;
  }

  png_uint_32 width() const { return png_get_image_width(png_, info_); }
  png_uint_32 height() const { return png_get_image_height(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  bool indexed() const { return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE; }
  bool grey16() const {
    return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png_, info_) == 16;
  }
  // Entries that the file does not have are black.
  std::array<png_color, 256> palette() const {
    std::array<png_color, 256> all = {};
    png_colorp colours = nullptr;
    int count = 0;
    if (png_get_PLTE(png_, info_, &colours, &count) != 0) std::copy_n(colours, std::min(count, 256), all.begin());
    return all;
  }
  const char* message() const { return message_; }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_, message, sizeof reader->message_ - 1);
    png_longjmp(png, 1);
  }
  static void read(png_structp png, png_bytep to, size_t count) {
    std::string_view& rest = static_cast<PngReader*>(png_get_io_ptr(png))->rest_;
    if (count > rest.size()) png_error(png, "it ends too early");
    std::memcpy(to, rest.data(), count);
    rest.remove_prefix(count);
  }

  std::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  char message_[128] = {};
};

}  // namespace

Image decode_png(const ImageFile& file) {
  PngReader reader(file.bytes);
  const auto check = [&](bool done) {
    if (!done) throw broken_image(file, "PNG", reader.message());
  };
  check(reader.read_header());
  Image image = allocate(file, reader.width(), reader.height());
  check(reader.start());
  if (!reader.indexed() && !reader.grey16()) {
    HEARTH_CHECK(reader.row_bytes() * reader.height() == image.rgb.size());
    check(reader.read_rows(image.rgb.data()));
    return image;
  }
  std::vector<uint8_t> pixels(reader.row_bytes() * reader.height());
  check(reader.read_rows(pixels.data()));
  uint8_t* to = image.rgb.data();
  if (reader.grey16()) {
    for (size_t i = 0; i < pixels.size(); i += 2, to += 3)  // PIL's clips where others scale
      std::fill_n(to, 3, pixels[i] != 0 ? uint8_t{255} : pixels[i + 1]);
    return image;
  }
  const auto palette = reader.palette();
  for (const uint8_t index : pixels) {
    *to++ = palette[index].red;
    *to++ = palette[index].green;
    *to++ = palette[index].blue;
  }
  return image;
}

}  // namespace hearth
