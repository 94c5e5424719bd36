// JPEG by libjpeg-turbo with its defaults (accurate integer IDCT, fancy upsampling), as Pillow uses it.
#include <csetjmp>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>

#include "models/images/formats.h"

namespace hearth {
namespace {

// Pillow stores Adobe's CMYK, which is inverted, upright and converts it with these roundings (Convert.c, cmyk2rgb).
void rgb_of_inverted_cmyk(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int key = cmyk[3];
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - cmyk[channel]) * key + 128;
      rgb[channel] = static_cast<uint8_t>(key - (((product >> 8) + product) >> 8));
    }
  }
}

// libjpeg reports an error by a function that must not return: here it jumps back into the step that was called. The
// steps hold nothing that a jump would leave behind; what they need is a member.
class JpegReader {
 public:
  explicit JpegReader(std::string_view bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { fail(info); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      // Other warnings Pillow lets pass; without its end a file is refused.
      if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) fail(info);
    };
    errors_.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = [](j_common_ptr info) {
      // A small file can hold thousands of scans, each of which walks over the whole picture.
      constexpr int kMostScans = 200;
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) ERREXIT(info, JERR_BAD_PROGRESSION);
    };
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Each step returns false where libjpeg reports an error: message().
  bool read_header() {
    if (setjmp(back_)) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  bool start() {
    if (setjmp(back_)) return false;
    info_.out_color_space = components() == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }
  bool read_row(uint8_t* row) {
    if (setjmp(back_)) return false;
    return jpeg_read_scanlines(&info_, &row, 1) == 1;
  }

  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }
  int components() const { return info_.num_components; }
  const char* message() const { return message_; }

 private:
  [[noreturn]] static void fail(j_common_ptr info) {
    auto* reader = static_cast<JpegReader*>(info->client_data);
    info->err->format_message(info, reader->message_);
    longjmp(reader->back_, 1);
  }

  std::string_view bytes_;
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  jmp_buf back_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
};

}  // namespace

Image decode_jpeg(const ImageFile& file) {
  JpegReader reader(file.bytes);
  const auto check = [&](bool done) {
    if (!done) throw broken_image(file, "JPEG", reader.message());
  };
  check(reader.read_header());
  if (reader.components() == 2) throw broken_image(file, "JPEG", "it has 2 colour components");
  Image image = allocate(file, reader.width(), reader.height());
  check(reader.start());
  const bool cmyk = reader.components() == 4;
  std::vector<uint8_t> row(cmyk ? size_t{4} * static_cast<size_t>(image.width) : 0);
  for (int y = 0; y < image.height; ++y) {
    check(reader.read_row(cmyk ? row.data() : image.row(y)));
    if (cmyk) rgb_of_inverted_cmyk(row.data(), image.width, image.row(y));
  }
  return image;
}

}  // namespace hearth
