// The picture at its own aspect ratio, or its four quarters and then itself. transformers' Idefics2ImageProcessorPil,
// for one picture: tiles are padded to the largest of them, not to other pictures' tiles.
#include <algorithm>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

PixelTile padded(const PixelTile& tile, PixelSize size) {
  PixelTile out{size.height, size.width, {}, tile.height, tile.width};
  out.pixels.resize(size_t{3} * static_cast<size_t>(size.height) * static_cast<size_t>(size.width));
  for (int row = 0; row < 3 * tile.height; ++row) {
    const int channel = row / tile.height, y = row % tile.height;
    std::copy_n(tile.pixels.begin() + int64_t{row} * tile.width, tile.width,
                out.pixels.begin() + (int64_t{channel} * size.height + y) * size.width);
  }
  return out;
}

class Idefics2Processor final : public ImageProcessor {
 public:
  explicit Idefics2Processor(const ProcessorConfig& config)
      : do_resize_(config.keys.boolean("do_resize").value_or(true)),
        do_pad_(config.keys.boolean("do_pad").value_or(true)),
        do_image_splitting_(config.keys.boolean("do_image_splitting").value_or(false)),
        size_(read_size(config, "size", {.shortest_edge = 378, .longest_edge = 980}, PlainSize::kShortestEdge)),
        resampling_(read_resampling(config, Resampling::kBilinear)),
        normalisation_(config, Normalisation::kHalf, Normalisation::kHalf) {
    if ((size_.shortest_edge == 0 || size_.longest_edge == 0) && (size_.height == 0 || size_.width == 0))
      throw invalid_argument("{}: size must have shortest_edge and longest_edge, or height and width",
                             config.keys.place());
  }

  ProcessedImage operator()(const Image& image) const override {
    std::vector<PixelTile> tiles;
    if (do_image_splitting_) {
      const int height = image.height / 2, width = image.width / 2;
      const PixelSize first = {height, width}, last = {image.height - height, image.width - width};
      tiles.push_back(tile(window(image, 0, 0, first)));
      tiles.push_back(tile(window(image, 0, width, {first.height, last.width})));
      tiles.push_back(tile(window(image, height, 0, {last.height, first.width})));
      tiles.push_back(tile(window(image, height, width, last)));
    }
    tiles.push_back(tile(image));
    if (do_pad_) pad(tiles);
    const int quarters_a_side = do_image_splitting_ ? 2 : 0;
    return processed(image, std::move(tiles), quarters_a_side, quarters_a_side);
  }

 private:
  PixelTile tile(const Image& part) const {
    return normalisation_(do_resize_ ? resized(part, size_of(part), resampling_) : part);
  }

  // transformers' get_resize_output_image_size of Idefics2.
  PixelSize size_of(const Image& part) const {
    if (size_.shortest_edge == 0 || size_.longest_edge == 0) return {size_.height, size_.width};
    PixelSize size = {part.height, part.width};
    const double ratio = static_cast<double>(part.width) / part.height;
    if (part.width >= part.height && part.width > size_.longest_edge) {
      size = {static_cast<int>(size_.longest_edge / ratio), size_.longest_edge};
    } else if (part.height > part.width && part.height > size_.longest_edge) {
      size = {size_.longest_edge, static_cast<int>(size_.longest_edge * ratio)};
    }
    return {std::max(size.height, size_.shortest_edge), std::max(size.width, size_.shortest_edge)};
  }

  static void pad(std::vector<PixelTile>& tiles) {
    PixelSize largest = {0, 0};
    for (const PixelTile& tile : tiles)
      largest = {std::max(largest.height, tile.height), std::max(largest.width, tile.width)};
    for (PixelTile& tile : tiles)
      if (PixelSize{tile.height, tile.width} != largest) tile = padded(tile, largest);
  }

  bool do_resize_, do_pad_, do_image_splitting_;
  SizeKeys size_;
  Resampling resampling_;
  Normalisation normalisation_;
};

}  // namespace

std::unique_ptr<const ImageProcessor> idefics2_processor(const ProcessorConfig& config) {
  return std::make_unique<Idefics2Processor>(config);
}

}  // namespace hearth
