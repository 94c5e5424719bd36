// WebP by libwebp: lossy and lossless; of an animation the first frame on a black canvas, as libwebp's WebPAnimDecoder,
// Pillow's, has it without its alpha.
#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

#include "models/images/formats.h"

namespace hearth {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

}  // namespace

Image decode_webp(const ImageFile& file) {
  const WebPData data{reinterpret_cast<const uint8_t*>(file.bytes.data()), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) throw broken_image(file, "WebP", "its chunks do not add up");
  Image image = allocate(file, WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                         WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  WebPIterator frame;
  const bool found = WebPDemuxGetFrame(demuxer.get(), 1, &frame) != 0;
  const std::unique_ptr<WebPIterator, decltype(&WebPDemuxReleaseIterator)> release(&frame, WebPDemuxReleaseIterator);
  if (!found || frame.complete == 0) throw broken_image(file, "WebP", "it has no whole frame");
  int width = 0, height = 0;
  if (WebPGetInfo(frame.fragment.bytes, frame.fragment.size, &width, &height) == 0 || frame.x_offset < 0 ||
      frame.y_offset < 0 || width > image.width - frame.x_offset || height > image.height - frame.y_offset)
    throw broken_image(file, "WebP", "its frame does not lie in the picture");
  uint8_t* first = image.row(frame.y_offset) + 3 * frame.x_offset;
  if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, first,
                        static_cast<size_t>(image.rgb.data() + image.rgb.size() - first), 3 * image.width) == nullptr)
    throw broken_image(file, "WebP", "its pixels cannot be read");
  return image;
}

}  // namespace hearth
