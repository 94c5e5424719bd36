// One tile: padded to a square (LLaVA's), resized, cut from the middle. transformers' CLIPImageProcessorPil,
// SiglipImageProcessorPil and LlavaImageProcessorPil.
#include <algorithm>

#include "models/vision/processor_kinds.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

struct ClipDefaults {
  SizeKeys size;
  bool center_crop;
  Normalisation::Channels mean, deviation;
};

class ClipProcessor final : public ImageProcessor {
 public:
  ClipProcessor(const ProcessorConfig& config, const ClipDefaults& defaults, bool pad_to_square)
      : pad_to_square_(pad_to_square),
        do_resize_(config.keys.boolean("do_resize").value_or(true)),
        do_center_crop_(config.keys.boolean("do_center_crop").value_or(defaults.center_crop)),
        size_(read_size(config, "size", defaults.size, PlainSize::kShortestEdge)),
        crop_size_(read_size(config, "crop_size", {224, 224}, PlainSize::kSquare)),
        resampling_(read_resampling(config, Resampling::kBicubic)),
        normalisation_(config, defaults.mean, defaults.deviation) {
    check_target(config, size_);
    if (crop_size_.height == 0 || crop_size_.width == 0)
      throw invalid_argument("{}: crop_size must have height and width", config.keys.place());
  }

  ProcessedImage operator()(const Image& image) const override {
    Image picture = pad_to_square_ ? padded_to_square(image) : image;
    if (do_resize_) picture = resized(picture, target_size(picture, size_), resampling_);
    if (do_center_crop_) picture = center_crop(picture, {crop_size_.height, crop_size_.width});
    return processed(image, {normalisation_(picture)});
  }

 private:
  Image padded_to_square(const Image& image) const {
    const int side = std::max(image.width, image.height);
    std::array<uint8_t, 3> fill;
    for (size_t i = 0; i < fill.size(); ++i)
      fill[i] = static_cast<uint8_t>(std::clamp(normalisation_.mean()[i] * 255, 0.0, 255.0));
    return window(image, -((side - image.height) / 2), -((side - image.width) / 2), {side, side}, fill);
  }

  bool pad_to_square_, do_resize_, do_center_crop_;
  SizeKeys size_, crop_size_;
  Resampling resampling_;
  Normalisation normalisation_;
};

constexpr ClipDefaults kClip = {{.shortest_edge = 224}, true, Normalisation::kClipMean, Normalisation::kClipDeviation};
constexpr ClipDefaults kSiglip = {{224, 224}, false, Normalisation::kHalf, Normalisation::kHalf};

// LLaVA's own code says so with this key where LlavaImageProcessor has do_pad.
bool aspect_ratio_by_padding(const ProcessorConfig& config) {
  return config.keys.text("image_aspect_ratio").value_or("") == "pad";
}

}  // namespace

std::unique_ptr<const ImageProcessor> clip_processor(const ProcessorConfig& config) {
  return std::make_unique<ClipProcessor>(config, kClip, aspect_ratio_by_padding(config));
}

std::unique_ptr<const ImageProcessor> siglip_processor(const ProcessorConfig& config) {
  return std::make_unique<ClipProcessor>(config, kSiglip, aspect_ratio_by_padding(config));
}

std::unique_ptr<const ImageProcessor> llava_processor(const ProcessorConfig& config) {
  const bool pad = config.keys.boolean("do_pad").value_or(false);
  return std::make_unique<ClipProcessor>(config, kClip, pad || aspect_ratio_by_padding(config));
}

}  // namespace hearth
