// Square tiles of the picture at a fixed longest edge, then the whole picture as one more. transformers'
// Idefics3ImageProcessorPil and SmolVLMImageProcessorPil.
#include <algorithm>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// transformers' _resize_output_size_rescale_to_max_len: the other side is made even.
PixelSize with_longest_edge(const Image& image, int edge) {
  const double ratio = static_cast<double>(image.width) / image.height;
  const auto even = [](double side) { return std::max((static_cast<int>(side) + 1) / 2 * 2, 1); };
  if (image.width >= image.height) return {even(edge / ratio), edge};
  return {edge, even(edge * ratio)};
}

// transformers' _resize_output_size_scale_below_upper_bound.
PixelSize below(PixelSize size, int edge) {
  const double ratio = static_cast<double>(size.width) / size.height;
  if (size.width >= size.height && size.width > edge) return {std::max(static_cast<int>(edge / ratio), 1), edge};
  if (size.height > size.width && size.height > edge) return {edge, std::max(static_cast<int>(edge * ratio), 1)};
  return size;
}

int whole_tiles(int side, int edge) { return (side + edge - 1) / edge * edge; }

// transformers' resize_for_vision_encoder: both sides multiples of `edge`.
PixelSize in_tiles(const Image& image, int edge) {
  const double ratio = static_cast<double>(image.width) / image.height;
  if (image.width >= image.height) {
    const int width = whole_tiles(image.width, edge);
    return {whole_tiles(static_cast<int>(width / ratio), edge), width};
  }
  const int height = whole_tiles(image.height, edge);
  return {height, whole_tiles(static_cast<int>(height * ratio), edge)};
}

class Idefics3Processor final : public ImageProcessor {
 public:
  explicit Idefics3Processor(const ProcessorConfig& config)
      : do_resize_(config.keys.boolean("do_resize").value_or(true)),
        do_image_splitting_(config.keys.boolean("do_image_splitting").value_or(true)),
        size_(read_size(config, "size", {.longest_edge = 4 * 364}, PlainSize::kSquare)),
        tile_edge_(read_longest_edge(config, "max_image_size", 364)),
        resampling_(read_resampling(config, Resampling::kLanczos)),
        normalisation_(config, Normalisation::kHalf, Normalisation::kHalf) {
    if (size_.longest_edge == 0 && (size_.height == 0 || size_.width == 0))
      throw invalid_argument("{}: size must have longest_edge, or height and width", config.keys.place());
  }

  ProcessedImage operator()(const Image& image) const override {
    const PixelSize square = {tile_edge_, tile_edge_};
    Image picture = do_resize_ ? resized(image, size_of(image), resampling_) : image;
    if (!do_image_splitting_) return processed(image, {normalisation_(resized(picture, square, resampling_))});
    picture = resized(picture, in_tiles(picture, tile_edge_), resampling_);
    const int rows = picture.height / tile_edge_, columns = picture.width / tile_edge_;
    if (rows * columns == 1) return processed(image, {normalisation_(picture)});
    std::vector<PixelTile> tiles;
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column)
        tiles.push_back(normalisation_(window(picture, row * tile_edge_, column * tile_edge_, square)));
    tiles.push_back(normalisation_(resized(picture, square, resampling_)));
    return processed(image, std::move(tiles), rows, columns);
  }

 private:
  PixelSize size_of(const Image& image) const {
    constexpr int kLargestEdge = 4096;  // MAX_IMAGE_SIZE of the reference
    if (size_.longest_edge == 0) return {size_.height, size_.width};
    return below(with_longest_edge(image, size_.longest_edge), kLargestEdge);
  }

  bool do_resize_, do_image_splitting_;
  SizeKeys size_;
  int tile_edge_;
  Resampling resampling_;
  Normalisation normalisation_;
};

}  // namespace

std::unique_ptr<const ImageProcessor> idefics3_processor(const ProcessorConfig& config) {
  return std::make_unique<Idefics3Processor>(config);
}

}  // namespace hearth
