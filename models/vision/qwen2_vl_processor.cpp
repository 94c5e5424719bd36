// One tile of about the picture's own size, in whole merged patches. transformers' Qwen2VLImageProcessorPil without its
// cutting into patches, which the tower does.
#include <algorithm>
#include <cmath>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

class Qwen2VlProcessor final : public ImageProcessor {
 public:
  explicit Qwen2VlProcessor(const ProcessorConfig& config)
      : do_resize_(config.keys.boolean("do_resize").value_or(true)),
        factor_(static_cast<int>(config.keys.integer("patch_size", 1, 1024).value_or(14) *
                                 config.keys.integer("merge_size", 1, 64).value_or(2))),
        resampling_(read_resampling(config, Resampling::kBicubic)),
        normalisation_(config, Normalisation::kClipMean, Normalisation::kClipDeviation) {
    // The older names stand beside `size` or in it, and come first.
    const auto pixels = [&](const char* name, const char* older, int64_t fallback) {
      if (const auto given = config.keys.integer(older, 1, kMostProcessedPixels)) return *given;
      const auto size = config.keys.object("size");
      if (!size) return fallback;
      if (const auto given = size->integer(older, 1, kMostProcessedPixels)) return *given;
      return size->required_integer(name, 1, kMostProcessedPixels);
    };
    min_pixels_ = pixels("shortest_edge", "min_pixels", 56 * 56);
    max_pixels_ = pixels("longest_edge", "max_pixels", 28 * 28 * 1280);
  }

  ProcessedImage operator()(const Image& image) const override {
    if (do_resize_) return processed(image, {normalisation_(resized(image, smart_size(image), resampling_))});
    if (image.width % factor_ != 0 || image.height % factor_ != 0)
      throw invalid_argument("a picture of {} x {} pixels: this model takes multiples of {} and does not resize",
                             image.width, image.height, factor_);
    return processed(image, {normalisation_(image)});
  }

 private:
  // transformers' smart_resize.
  PixelSize smart_size(const Image& image) const {
    const double height = image.height, width = image.width;
    constexpr int kMostRatio = 200;
    if (std::max(height, width) / std::min(height, width) > kMostRatio)
      throw invalid_argument("a picture of {} x {} pixels: this model takes sides of at most {} to 1", image.width,
                             image.height, kMostRatio);
    const auto in_factors = [&](double count) { return static_cast<int>(count) * factor_; };
    PixelSize size = {in_factors(std::nearbyint(height / factor_)), in_factors(std::nearbyint(width / factor_))};
    const int64_t pixels = int64_t{size.height} * size.width;
    if (pixels > max_pixels_) {
      const double beta = std::sqrt(height * width / static_cast<double>(max_pixels_));
      size = {std::max(factor_, in_factors(std::floor(height / beta / factor_))),
              std::max(factor_, in_factors(std::floor(width / beta / factor_)))};
    } else if (pixels < min_pixels_) {
      const double beta = std::sqrt(static_cast<double>(min_pixels_) / (height * width));
      size = {in_factors(std::ceil(height * beta / factor_)), in_factors(std::ceil(width * beta / factor_))};
    }
    return size;
  }

  bool do_resize_;
  int factor_;  // of both sides
  int64_t min_pixels_, max_pixels_;
  Resampling resampling_;
  Normalisation normalisation_;
};

}  // namespace

std::unique_ptr<const ImageProcessor> qwen2_vl_processor(const ProcessorConfig& config) {
  return std::make_unique<Qwen2VlProcessor>(config);
}

}  // namespace hearth
