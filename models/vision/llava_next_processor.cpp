// The whole picture, then tiles of the picture at the one of several resolutions that shows most of it.
// transformers' LlavaNextImageProcessorPil.
#include <algorithm>
#include <cmath>
#include <limits>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

std::vector<PixelSize> read_pinpoints(const ProcessorConfig& config) {
  constexpr size_t kMostPinpoints = 1024;
  constexpr const char* kKey = "image_grid_pinpoints";
  if (!config.keys.has(kKey)) return {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
  const nlohmann::json& list = config.json.at(kKey);
  if (!list.is_array() || list.empty() || list.size() > kMostPinpoints)
    throw invalid_argument("{}: {} must be a list of 1 to {} pairs [height, width]", config.keys.place(), kKey,
                           kMostPinpoints);
  std::vector<PixelSize> pinpoints;
  for (const nlohmann::json& pair : list) {
    const nlohmann::json object = {{kKey, pair}};
    const auto sides = ConfigReader(object, config.keys.place()).integers(kKey, 1, 16384);
    if (sides.size() != 2)
      throw invalid_argument("{}: {} must be a list of pairs [height, width]", config.keys.place(), kKey);
    pinpoints.push_back({static_cast<int>(sides[0]), static_cast<int>(sides[1])});
  }
  return pinpoints;
}

// transformers' select_best_resolution.
PixelSize best_resolution(const Image& image, const std::vector<PixelSize>& pinpoints) {
  PixelSize best = pinpoints.front();
  int64_t most_effective = 0, least_wasted = std::numeric_limits<int64_t>::max();
  const int64_t pixels = int64_t{image.width} * image.height;
  for (const PixelSize& point : pinpoints) {
    const double scale =
        std::min(static_cast<double>(point.width) / image.width, static_cast<double>(point.height) / image.height);
    const auto width = static_cast<int64_t>(image.width * scale), height = static_cast<int64_t>(image.height * scale);
    const int64_t effective = std::min(width * height, pixels);
    const int64_t wasted = int64_t{point.width} * point.height - effective;
    if (effective > most_effective || (effective == most_effective && wasted < least_wasted)) {
      most_effective = effective;
      least_wasted = wasted;
      best = point;
    }
  }
  return best;
}

// transformers' get_patch_output_size.
PixelSize size_inside(const Image& image, PixelSize target) {
  const double across = static_cast<double>(target.width) / image.width;
  const double down = static_cast<double>(target.height) / image.height;
  if (across < down) return {std::min(static_cast<int>(std::ceil(image.height * across)), target.height), target.width};
  return {target.height, std::min(static_cast<int>(std::ceil(image.width * down)), target.width)};
}

class LlavaNextProcessor final : public ImageProcessor {
 public:
  explicit LlavaNextProcessor(const ProcessorConfig& config)
      : do_resize_(config.keys.boolean("do_resize").value_or(true)),
        do_center_crop_(config.keys.boolean("do_center_crop").value_or(true)),
        size_(read_size(config, "size", {.shortest_edge = 224}, PlainSize::kShortestEdge)),
        crop_size_(read_size(config, "crop_size", {224, 224}, PlainSize::kSquare)),
        pinpoints_(read_pinpoints(config)),
        resampling_(read_resampling(config, Resampling::kBicubic)),
        normalisation_(config, Normalisation::kClipMean, Normalisation::kClipDeviation) {
    check_target(config, size_);
    if (crop_size_.height == 0 || crop_size_.width == 0)
      throw invalid_argument("{}: crop_size must have height and width", config.keys.place());
  }

  ProcessedImage operator()(const Image& image) const override {
    const PixelSize best = best_resolution(image, pinpoints_), inside = size_inside(image, best);
    const Image fitted = window(resized(image, inside, resampling_), -((best.height - inside.height) / 2),
                                -((best.width - inside.width) / 2), best);
    const int side = crop_size_.height, edge = size_.shortest_edge;
    const bool square = size_.height == 0 || size_.width == 0;
    std::vector<PixelTile> tiles = {
        tile(resized(image, square ? PixelSize{edge, edge} : PixelSize{size_.height, size_.width}, resampling_))};
    for (int y = 0; y < best.height; y += side)
      for (int x = 0; x < best.width; x += side) {
        const PixelSize part = {std::min(side, best.height - y), std::min(side, best.width - x)};
        tiles.push_back(tile(window(fitted, y, x, part)));
        if (tiles.back().height != tiles[0].height || tiles.back().width != tiles[0].width)
          throw invalid_argument("image_grid_pinpoints {} x {} cannot be cut into tiles of one size", best.height,
                                 best.width);
      }
    return processed(image, std::move(tiles), (best.height + side - 1) / side, (best.width + side - 1) / side);
  }

 private:
  PixelTile tile(Image part) const {
    if (do_resize_) part = resized(part, target_size(part, size_), resampling_);
    if (do_center_crop_) part = center_crop(part, {crop_size_.height, crop_size_.width});
    return normalisation_(part);
  }

  bool do_resize_, do_center_crop_;
  SizeKeys size_, crop_size_;
  std::vector<PixelSize> pinpoints_;
  Resampling resampling_;
  Normalisation normalisation_;
};

}  // namespace

std::unique_ptr<const ImageProcessor> llava_next_processor(const ProcessorConfig& config) {
  return std::make_unique<LlavaNextProcessor>(config);
}

}  // namespace hearth
